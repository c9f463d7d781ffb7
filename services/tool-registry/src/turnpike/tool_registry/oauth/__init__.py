"""OAuth 2.1, as a client of the authorization servers that MCP servers name.

What needs the SDK is in `servers`, `clients` and `consent`, which are imported on the first
sign-in; `tokens` is all that a renewal needs.
"""
