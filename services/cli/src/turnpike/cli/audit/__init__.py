"""Checking the audit, without taking the suite's word for it."""
