"""Which calls of tools run, which a person is asked for, and which never do."""
