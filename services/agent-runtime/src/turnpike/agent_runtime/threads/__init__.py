"""Threads, and the messages in them."""
