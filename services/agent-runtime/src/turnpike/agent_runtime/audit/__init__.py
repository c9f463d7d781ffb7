"""The audit: what was said, decided and done, chained so that nobody changes it unseen."""
