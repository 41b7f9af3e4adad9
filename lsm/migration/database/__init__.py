"""A whole mind from one database into another, and what says that both hold the same."""
