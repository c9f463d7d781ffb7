"""Knows tools and runs their calls at most once."""
