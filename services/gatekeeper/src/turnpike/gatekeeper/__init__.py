"""Decides who may enter, how much, and what it cost."""
