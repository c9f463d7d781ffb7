"""What callers of embedding rely on."""
