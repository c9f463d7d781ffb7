"""What was used: the ledger's entries, and sums of them."""
