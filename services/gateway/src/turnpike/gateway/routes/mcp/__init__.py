"""What MCP clients are served: a tenant's tools, and its agents as tools."""
