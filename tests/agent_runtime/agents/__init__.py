"""What is expected of agents and their versions."""
