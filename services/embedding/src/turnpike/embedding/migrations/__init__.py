"""What the schema was, is and becomes."""

EXTENSION = "vector"
"""Postgres' type of vectors. A trusted extension: who may make schemas may make it."""
