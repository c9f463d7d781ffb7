"""What is counted of filters."""

from turnpike.telemetry.metrics import counter

FILTERED = counter("texts_filtered", "Texts that a tenant's filter matched.", ["action"])
