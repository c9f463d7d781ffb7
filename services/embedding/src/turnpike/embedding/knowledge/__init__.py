"""Documents in collections: what they are, were, and how searches come to find them."""
