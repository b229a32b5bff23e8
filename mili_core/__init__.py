"""MILI: multi-person inference from a low-resolution image (model library: torch and numpy only)."""
