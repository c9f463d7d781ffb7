"""Postgres: engines, tenant-scoped transactions, roles, leases, sealed columns."""
