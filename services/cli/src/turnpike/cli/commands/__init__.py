"""What can be typed after `turnpike`."""
