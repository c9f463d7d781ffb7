"""What callers and operators may rely on from gatekeeper."""
