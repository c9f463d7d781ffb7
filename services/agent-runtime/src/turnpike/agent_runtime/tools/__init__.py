"""Tools as a turn sees them, and their calls through the registry."""
