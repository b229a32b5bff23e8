"""Readers of training data; one sample record for all."""
