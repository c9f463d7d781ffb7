"""Keys of sessions and of providers' caches: no tenant can come by another's."""

import hashlib
import hmac
from uuid import UUID

from turnpike.agent_runtime.models.prompt import Model

_CHARACTERS = 32


class Salt:
    """Derives keys by a secret, the tenant first."""

    def __init__(self, secret: bytes) -> None:
        """Takes a secret; another one makes all caches cold, once."""
        self._secret = secret

    def cache_key(self, tenant: UUID, session: str) -> str:
        """Returns the `prompt_cache_key` of a session."""
        return self._derived("cache", tenant, session)

    def client_session(self, tenant: UUID, principal: UUID, model: str, given: str) -> str:
        """Returns the session that a client means by an id of its own."""
        return "c-" + self._derived("session", tenant, str(principal), model, given)

    def route(self, model: Model) -> str:
        """Returns what stands for the endpoint and the account behind a model."""
        return self._derived("route", model.tenant, model.provider, model.base_url, model.api_key)

    def _derived(self, purpose: str, tenant: UUID, *parts: str) -> str:
        salt = hmac.digest(self._secret, f"prefix.{purpose}.{tenant}".encode(), "sha256")
        # Each part by its length: no two lists of parts make the same text.
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.digest(salt, text.encode(), hashlib.sha256).hex()[:_CHARACTERS]
