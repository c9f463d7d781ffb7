"""Turns: claimed, owned, run step by step, ended once."""
