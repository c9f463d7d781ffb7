"""Blobs: bytes that are kept under their own digest, apart for each tenant.

`open_store` returns a store in a folder or in S3; both pass `tests/blobs/test_conformance.py`.
Nothing of S3's libraries is imported before a bucket is first needed.
"""
