"""What is expected of models: their configurations, and the ways to them."""
