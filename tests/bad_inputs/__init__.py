"""Files that no program likes, made by code, each with what must become of it."""
