"""What the schema was, is and becomes."""
