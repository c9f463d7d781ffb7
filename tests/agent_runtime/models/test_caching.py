"""Row L10: each provider is told of its cache what it takes, and nothing else."""

import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent_runtime.models.asking import prompt_for
from turnpike.agent_runtime.models.caching import caching_for
from turnpike.agent_runtime.models.prompt import Caching

GENERATOR = Path(__file__).parents[3] / "services" / "agent-runtime" / "generate_caching.py"


def test_l10_the_tables_are_what_litellm_lists():
    checked = subprocess.run(
        [sys.executable, str(GENERATOR), "--check"], capture_output=True, check=False, timeout=100
    )

    assert checked.returncode == 0, checked.stderr.decode()


@pytest.mark.parametrize(
    ("provider", "model", "url", "expected"),
    [
        ("openai", "gpt-5.1", "", Caching(key="k", retention="24h")),
        ("openai", "gpt-4o", "", Caching(key="k")),
        ("openai", "gpt-5.1", "https://x.openai.azure.com/openai/v1", Caching(key="k")),
        ("openai", "deepseek-chat", "https://api.deepseek.com/v1", Caching(key="k")),
        ("openai", "llama", "http://models:8000/v1", Caching(key="k")),
        ("openai", "grok-4", "https://api.x.ai/v1", Caching()),
        ("openai", "mistral-large", "https://api.mistral.ai/v1", Caching()),
        (
            "openai",
            "anthropic/claude-sonnet-4.5",
            "https://openrouter.ai/api/v1",
            Caching(key="k", breakpoints=True),
        ),
        ("anthropic", "claude-sonnet-4-5", "", Caching(breakpoints=True)),
        ("bedrock", "us.anthropic.claude-sonnet-4-5", "", Caching(breakpoints=True)),
        ("bedrock", "us.amazon.nova-lite-v1:0", "", Caching(breakpoints=True)),
        ("bedrock", "meta.llama3", "", Caching()),
        ("gemini", "gemini-3-pro", "", Caching()),
    ],
)
def test_l10_each_provider_is_told_what_it_takes(
    provider: str, model: str, url: str, expected: Caching
):
    asked = prompt_for(url, provider=provider, model=model).model

    assert caching_for(asked, "k") == expected


def test_l10_what_is_not_sent_is_said_so_once(caplog: pytest.LogCaptureFixture):
    model = replace(prompt_for("").model, provider="nobody-else-s")
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            caching_for(model, "k")

    said = [each for each in caplog.messages if "nobody-else-s" in each]
    assert len(said) == 1
    assert "prompt_cache_key" in said[0]
