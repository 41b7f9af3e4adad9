"""Remote sources: asked only if enabled, kept in the database, served stale when they fail."""
