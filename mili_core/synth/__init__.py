"""Synthetic people with exact truth, in memory."""
