"""Training stages and loop (no cluster)."""
