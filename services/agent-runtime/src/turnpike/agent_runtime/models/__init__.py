"""Language models: their configurations and the ways to reach them."""
