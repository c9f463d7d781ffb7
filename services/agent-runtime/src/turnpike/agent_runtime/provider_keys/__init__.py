"""Keys of one's own at model providers: kept sealed, used by `models`, and never shown."""
