"""Files that are given to agents."""
