"""Moving in, moving on, and getting back."""
