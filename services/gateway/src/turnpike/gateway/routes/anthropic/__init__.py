"""What Anthropic's clients say and are told."""
