"""Exports of the people table."""
