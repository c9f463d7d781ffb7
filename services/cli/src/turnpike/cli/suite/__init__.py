"""A suite on this machine: what is started, in which order, and how it is kept running."""
