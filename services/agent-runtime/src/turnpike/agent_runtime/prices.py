"""What models cost, as gatekeeper is told."""

from turnpike.agent_runtime.models.prompt import Prices
from turnpike.api.gatekeeper.v1 import gatekeeper_service_pb2 as pb


def price_message(model: str, prices: Prices | None, *, own_key: bool) -> pb.ModelPrice:
    """Returns the price of a model, without any where it is not known."""
    message = pb.ModelPrice(model=model, own_key=own_key)
    if prices is not None:
        message.prices.input, message.prices.output = prices.input, prices.output
        if prices.cached:
            message.prices.cached = prices.cached
        if prices.cache_write:
            message.prices.cache_write = prices.cache_write
    return message


MOST_TOKENS = 10_000_000
"""As many tokens of a prompt as gatekeeper reckons with; no model takes more."""
