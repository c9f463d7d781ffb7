"""Declarative set-up: documents that say what a suite shall have, and how they come true."""
