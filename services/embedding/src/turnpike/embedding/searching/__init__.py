"""Finding the parts of documents that answer a question."""
