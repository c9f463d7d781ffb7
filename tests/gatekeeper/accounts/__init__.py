"""Plans, subscriptions, limits, budgets, refusals and usage."""
