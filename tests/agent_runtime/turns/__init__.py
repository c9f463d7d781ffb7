"""Turns over real servers, with a provider that waits for the test."""
