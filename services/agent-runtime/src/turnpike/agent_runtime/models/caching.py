"""What a provider is told of its prompt cache."""

import logging
from urllib.parse import urlsplit

from turnpike.agent_runtime.models.caching_table import TAKEN
from turnpike.agent_runtime.models.prompt import Caching, Model

logger = logging.getLogger(__name__)

_KEY, _RETENTION = "prompt_cache_key", "prompt_cache_retention"
HOSTS = {
    "api.openai.com": "openai",
    "api.mistral.ai": "mistral",
    "api.x.ai": "xai",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "openrouter.ai": "openrouter",
    "generativelanguage.googleapis.com": "gemini",
    "api.together.xyz": "together_ai",
    "api.fireworks.ai": "fireworks_ai",
}
"""Endpoints on the OpenAI wire whose rules litellm knows by another name."""

_AZURE_HOSTS = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
# Engines that are run by oneself pass over what they do not know.
_SELF_HOSTED = "hosted_vllm"
# OpenAI refuses it for its older models; others who list it only inherit the list.
_RETAINED = ("gpt-5", "gpt-4.1")
_MARKED = ("anthropic",)
_MARKED_MODELS = {"bedrock": ("claude", "nova"), "openrouter": ("anthropic/", "claude")}

_said: set[tuple[str, str]] = set()


def caching_for(model: Model, key: str) -> Caching:
    """Returns the cache parameters that a model's provider takes.

    What it does not take is left out, and said so in the log, once per provider.

    Args:
        model: Who is asked.
        key: The session's `prompt_cache_key`, salted by the tenant.
    """
    provider = provider_behind(model)
    taken = TAKEN.get(provider, ())
    breakpoints = _is_marked(provider, model.model)
    if _KEY not in taken and not breakpoints:
        _say(provider, _KEY)
    retained = provider == "openai" and _RETENTION in taken and model.model.startswith(_RETAINED)
    return Caching(
        key=key if _KEY in taken else "",
        retention="24h" if retained else "",
        breakpoints=breakpoints,
    )


def provider_behind(model: Model) -> str:
    """Returns whose rules hold: of a plain endpoint on the OpenAI wire, its host's."""
    if model.provider != "openai" or not model.base_url:
        return model.provider
    host = (urlsplit(model.base_url).hostname or "").lower()
    if host.endswith(_AZURE_HOSTS):
        return "azure"
    return HOSTS.get(host, _SELF_HOSTED)


def _is_marked(provider: str, model: str) -> bool:
    marked = _MARKED_MODELS.get(provider, ())
    return provider in _MARKED or any(each in model for each in marked)


def _say(provider: str, parameter: str) -> None:
    if (provider, parameter) not in _said:
        _said.add((provider, parameter))
        logger.info("%s is not sent to %r: it takes none", parameter, provider)
