"""What a provider's cache should have, and why it had not."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from turnpike.agent_runtime.prefix.model import Head, Miss, Reason, Reported, Sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a provider keeps prompts."""

    minimum: int = 0
    """Fewer tokens than these are not kept."""

    block: int = 1
    """Tokens are kept in blocks of so many."""

    kept_for: timedelta = timedelta(hours=1)


_HOSTED = Rules(minimum=1024, block=128)
_RULES = {
    "openai": _HOSTED,
    "azure": _HOSTED,
    "anthropic": Rules(minimum=1024, kept_for=timedelta(minutes=5)),
    "bedrock": Rules(minimum=1024, kept_for=timedelta(minutes=5)),
    "gemini": Rules(minimum=1024),
    "deepseek": Rules(minimum=64, block=64),
}
_ANY = Rules()
_OPENAI_HOST = "api.openai.com"


def rules_of(provider: str, base_url: str, *, retention: str = "") -> Rules:
    """Returns how a provider keeps prompts.

    Whoever speaks the OpenAI wire format elsewhere is not bound by OpenAI's rules.
    """
    if provider == "openai" and base_url and urlsplit(base_url).hostname != _OPENAI_HOST:
        return _ANY
    rules = _RULES.get(provider, _ANY)
    if retention == "24h":
        return Rules(minimum=rules.minimum, block=rules.block, kept_for=timedelta(hours=24))
    return rules


def predict(
    head: Head, *, model: str, route: str, shared: int, rules: Rules
) -> tuple[int, Miss | None]:
    """Returns how many tokens the provider should have, and why none if so.

    Args:
        head: Where the session stands.
        model: Who is asked now.
        route: By which endpoint and key.
        shared: Bytes of the last request that this one begins with.
        rules: How the provider keeps prompts.
    """
    if head.revision == 0 or head.sent.bytes == 0:
        return 0, None
    if head.model != model:
        return 0, Miss(Reason.EPOCH_MODEL)
    if head.route != route:
        return 0, Miss(Reason.ROUTED_ELSEWHERE)
    if head.idle > rules.kept_for:
        return 0, Miss(Reason.TTL_EXPIRED)
    tokens = _tokens(head.sent, shared)
    if tokens < rules.minimum:
        return 0, Miss(Reason.BELOW_MINIMUM)
    return tokens // rules.block * rules.block, None


def judge(predicted: int, expected: Miss | None, reported: Reported) -> Miss | None:
    """Returns why a request missed, now that the provider has said what it had.

    Args:
        predicted: What it should have had.
        expected: Why it should not have had more.
        reported: What it had.
    """
    if reported.reckoned:
        return expected
    if expected is not None:
        return expected
    if predicted > 0 and reported.cached_tokens * 2 < predicted:
        return Miss(Reason.EVICTED_BY_PROVIDER)
    return None


def _tokens(sent: Sent, shared: int) -> int:
    if shared >= sent.bytes:
        return sent.tokens
    return sent.tokens * shared // sent.bytes
