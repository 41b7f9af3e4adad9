"""What `lsm serve` shows in a browser, and the door it stands behind."""
