"""The history of agent-runtime's schema."""
