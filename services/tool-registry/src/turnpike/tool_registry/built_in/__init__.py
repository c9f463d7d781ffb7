"""Connectors that are the suite's own: listed, approved and called like any other."""
