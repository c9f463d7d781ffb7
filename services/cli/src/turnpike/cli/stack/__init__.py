"""The processes of a local suite: how they start, and how none outlives its owner.

`LocalPostgres` and `LocalRedis` also serve the tests.
"""
