"""What `turnpike doctor` looks at."""
