"""What callers and operators expect of agent-runtime."""
