"""Runs agent turns that survive their owner."""
