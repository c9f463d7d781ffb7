"""The prefix ledger: what was sent to a model, byte for byte, so that it can be sent again."""
