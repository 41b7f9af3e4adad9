"""Local Second Mind: documents, agents' memory and schedules in one database."""

__version__ = "0.1.0"
