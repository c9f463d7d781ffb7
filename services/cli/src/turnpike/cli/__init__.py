"""The command line: start the suite, set it up, talk to it."""
