"""What a model's options make of a request: regions, versions, beta features, kinds of keys."""

from dataclasses import replace

import pytest

from tests.agent_runtime.models.asking import all_of, failure_of, prompt_for
from tests.agent_runtime.models.conftest import Provider
from tests.doubles.http1 import Request
from tests.doubles.recorded_provider import recorded_provider
from turnpike.agent_runtime.models import caching
from turnpike.agent_runtime.models.clients import Clients

pytestmark = pytest.mark.usefixtures("litellm")

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


async def asked(
    clients: Clients,
    provider: str,
    recording: str,
    *,
    model: str = "m",
    api_key: str = "sk-secret",
    **options: str,
) -> Request:
    async with recorded_provider() as played:
        played.play(recording)
        prompt = prompt_for(played.url, provider=provider, model=model, api_key=api_key)
        chosen = replace(prompt.model, options=tuple(sorted(options.items())))
        await all_of(clients, replace(prompt, model=chosen))
        return played.requests[0]


async def test_a_version_and_beta_features_are_asked_for_on_the_openai_wire(clients: Clients):
    request = await asked(
        clients, "openai", "openai_answer.sse", api_version="2025-04-01", beta="responses=v1"
    )

    assert request.query == {"api-version": "2025-04-01"}
    assert request.headers["openai-beta"] == "responses=v1"
    assert request.headers["authorization"] == "Bearer sk-secret"


async def test_azure_is_given_its_key_by_its_own_name(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(caching.HOSTS, "127.0.0.1", "azure")

    request = await asked(clients, "openai", "azure_answer.sse")

    assert request.headers["api-key"] == "sk-secret"
    assert "authorization" not in request.headers


async def test_beta_features_are_asked_for_of_anthropic(clients: Clients):
    request = await asked(
        clients, "anthropic", "anthropic_answer.sse", beta="context-1m-2025-08-07"
    )

    assert "context-1m-2025-08-07" in request.headers["anthropic-beta"]


async def test_bedrock_s_requests_are_signed_for_a_region_where_the_key_is_a_pair(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-the-platform")
    key = "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG"

    request = await asked(
        clients,
        "bedrock",
        "bedrock_answer.jsonl",
        model=CLAUDE,
        api_key=key,
        region="eu-central-1",
    )

    signed = request.headers["authorization"]
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/")
    assert "/eu-central-1/bedrock/" in signed
    assert "wJalrXUtnFEMI" not in str(request.headers)
    assert "of-the-platform" not in str(request.headers)


async def test_bedrock_s_own_keys_go_as_they_are(clients: Clients):
    request = await asked(
        clients, "bedrock", "bedrock_answer.jsonl", model=CLAUDE, region="eu-central-1"
    )

    assert request.headers["authorization"] == "Bearer sk-secret"


@pytest.mark.parametrize("name", ["anthropic", "bedrock", "gemini", "groq"])
async def test_no_key_is_none_of_the_service_s_environment(
    faked: Provider, clients: Clients, monkeypatch: pytest.MonkeyPatch, name: str
):
    for variable in (
        "ANTHROPIC_API_KEY",
        "AWS_BEARER_TOKEN_BEDROCK",
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GROQ_API_KEY",
    ):
        monkeypatch.setenv(variable, "of-the-platform")
    faked.replies(401, {"error": {"message": "who are you?"}})

    prompt = prompt_for(faked.url, provider=name, model=CLAUDE, api_key="")
    failure = await failure_of(clients, prompt)

    assert failure.reason == "AUTHENTICATION"
    assert "of-the-platform" not in str(faked.requests[0].headers)
    assert "of-the-platform" not in faked.requests[0].target
