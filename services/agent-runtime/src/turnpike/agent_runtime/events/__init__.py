"""The turn's log: appended by its owner, read by everybody."""
