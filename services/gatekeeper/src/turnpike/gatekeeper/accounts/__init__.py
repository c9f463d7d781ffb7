"""What tenants and people may use: plans, subscriptions, overrides, budgets, refusals."""
