"""A tenant's filters of what people write."""
