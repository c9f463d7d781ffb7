"""Everything an operator can set, read once from the environment."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from turnpike.rpc.settings import ServiceSettings


def _api_key(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"tpk_[A-Za-z0-9_-]{22,}", value.get_secret_value()):
        raise ValueError("an API key is tpk_ and at least 22 letters, digits, - or _")
    return value


class Settings(ServiceSettings):
    """Gatekeeper's configuration. `GATEKEEPER_DATABASE_URL` sets `database_url`."""

    model_config = SettingsConfigDict(env_prefix="GATEKEEPER_")

    database_url: SecretStr
    """Postgres as gatekeeper's own role, which sees one tenant at a time."""

    system_database_url: SecretStr
    """Postgres as gatekeeper's system role, for its few listed statements."""

    redis_url: SecretStr
    """Where the slots, rates and holds of running turns are kept."""

    billing: bool = True
    """Whether budgets and plans' caps count; slots, rates and the ledger do in any case."""

    replicas: int = Field(default=1, ge=1, le=1000)
    """How many gatekeepers there are: each admits such a share while Redis is away."""

    default_input_price: int = Field(default=15_000_000, gt=0, le=900_000_000)
    """What a million prompt tokens of a model without a price cost, in micro-dollars."""

    default_output_price: int = Field(default=75_000_000, gt=0, le=900_000_000)
    """What a million answer tokens of a model without a price cost, in micro-dollars."""

    bootstrap_key: Annotated[SecretStr, AfterValidator(_api_key)] | None = None
    """The first API key, `tpk_…`: from the start on it opens the tenant `first` as admin."""

    bootstrap_slots: int = Field(default=64, ge=1, le=100_000)
    """How many turns of the tenant `first` may run at once."""

    egress_allow_private: bool = False
    """Whether issuers may have private addresses, and speak http: for tests and laptops."""
