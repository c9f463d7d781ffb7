"""What is expected of threads and messages."""
