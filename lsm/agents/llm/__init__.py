"""Agents that a language model drives, and the way to the model."""
