"""The whole suite as its users start it, walked from the outside."""
