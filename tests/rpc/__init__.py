"""Tests of turnpike.rpc, over real channels."""
