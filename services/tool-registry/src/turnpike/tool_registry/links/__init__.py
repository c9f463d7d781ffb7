"""Sessions with MCP servers: opened once, shared, closed when nobody needs them.

Only `link` and `transport` import the MCP SDK, and they are imported when the
first session is opened: it takes a second and 50 MB.
"""
