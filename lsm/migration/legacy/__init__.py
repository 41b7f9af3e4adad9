"""Brings over what a predecessor's home holds: every record, to the letter, once."""
