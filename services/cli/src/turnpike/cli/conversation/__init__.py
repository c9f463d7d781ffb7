"""Turns, as a person at a terminal follows them."""
