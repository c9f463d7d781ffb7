"""The turn's log, over real Postgres and Redis."""
