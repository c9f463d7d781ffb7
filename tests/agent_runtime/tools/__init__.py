"""Tests of the tools that turns have."""
