"""Thin entry points; each module is one job."""
