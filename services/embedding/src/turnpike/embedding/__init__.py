"""Turns text into chunks and vectors."""
