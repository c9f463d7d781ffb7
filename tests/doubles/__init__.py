"""The third parties of the suite, faked at the wire: models, MCP servers, a trace collector."""
