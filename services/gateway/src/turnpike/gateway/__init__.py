"""The REST, SSE and OpenAI edge."""
