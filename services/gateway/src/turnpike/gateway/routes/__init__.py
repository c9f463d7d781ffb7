"""HTTP to one rpc each, a module per noun. Pydantic models live only here."""
