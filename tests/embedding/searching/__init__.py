"""What searches find."""
