"""What OpenAI's clients say and are told."""
