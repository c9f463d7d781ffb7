"""Kill, stop and restart everything, and count what is lost, repeated or doubled."""
