"""Files, over a real channel."""
