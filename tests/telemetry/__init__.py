"""Tests of turnpike.telemetry."""
