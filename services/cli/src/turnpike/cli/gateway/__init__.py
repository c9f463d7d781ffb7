"""The suite's gateway, spoken to over REST."""
