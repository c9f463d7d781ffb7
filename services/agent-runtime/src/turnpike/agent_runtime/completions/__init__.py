"""Models asked in the name of clients that bring their own history and run their own tools."""
