"""What every service can be told, as operators tell it: in its environment."""

import socket
from datetime import timedelta

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from tests.conftest import Keys
from turnpike.rpc.process import start
from turnpike.rpc.settings import Seconds, ServiceSettings


class Settings(ServiceSettings):
    """Those of a service of this test."""

    model_config = SettingsConfigDict(env_prefix="TOLL_BOOTH_")

    patience: Seconds = timedelta(seconds=1)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, keys: Keys) -> pytest.MonkeyPatch:
    """An environment with what must be set."""
    monkeypatch.setenv("TOLL_BOOTH_SIGNING_KEY", keys.signing("gateway"))
    monkeypatch.setenv("TOLL_BOOTH_TRUSTED_KEYS", "{}")
    return monkeypatch


def read() -> Settings:
    return Settings()  # pyright: ignore[reportCallIssue]


def test_a_service_is_named_by_its_prefix(environment: pytest.MonkeyPatch):
    assert Settings.service() == "toll-booth"
    assert read().replica_name == f"toll-booth-{socket.gethostname()}"

    environment.setenv("TOLL_BOOTH_REPLICA_NAME", "toll-booth-2")
    assert read().replica_name == "toll-booth-2"


def test_keys_are_base64_and_never_shown(environment: pytest.MonkeyPatch, keys: Keys):
    settings = read()

    assert settings.signing_key == keys.seeds["gateway"]
    assert repr(keys.seeds["gateway"]) not in repr(settings)
    for wrong in ("short", "", "%%%", "A" * 100):
        environment.setenv("TOLL_BOOTH_SIGNING_KEY", wrong)
        with pytest.raises(ValidationError) as refused:
            read()
        assert not wrong or wrong not in str(refused.value)


def test_times_are_numbers_of_seconds(environment: pytest.MonkeyPatch):
    environment.setenv("TOLL_BOOTH_PATIENCE", "0.25")
    assert read().patience == timedelta(milliseconds=250)

    for wrong in ("-1", "soon", "PT1S"):
        environment.setenv("TOLL_BOOTH_PATIENCE", wrong)
        with pytest.raises(ValueError, match=r"patience|could not convert"):
            read()


def test_a_setting_that_is_missing_ends_the_process_with_its_name(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("TOLL_BOOTH_TRUSTED_KEYS", "{}")

    async def serve(_settings: Settings) -> None:
        raise AssertionError("it began")

    with pytest.raises(SystemExit, match="signing_key"):
        start(Settings, serve)
