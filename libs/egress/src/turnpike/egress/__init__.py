"""HTTP to addresses that others chose: vetted, pinned, bounded.

`sessions` does it with aiohttp, `transports` with httpx2. They are imported by
name, so that a process loads only the client that it uses.
"""
