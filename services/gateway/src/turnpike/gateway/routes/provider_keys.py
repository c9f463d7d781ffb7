"""Keys of one's own at model providers, and whether they must be used."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field, StringConstraints

from turnpike.api.agent_runtime.v1 import provider_key_service_pb2 as pb
from turnpike.api.agent_runtime.v1.model_service_pb2 import Scope as ScopeMessage
from turnpike.api.agent_runtime.v1.provider_key_service_pb2_grpc import ProviderKeyServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.parameters import CurrentWrite, IfMatch, Page, ValidateOnly
from turnpike.gateway.routes.replies import (
    ETAG,
    RESULT,
    changed,
    created,
    problems,
    reply,
    tagged,
    time_of,
)
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Name, Reply, Request, Text, Time, check_name

_NAMES = {"provider_key.": ""}

Scope = Literal["TENANT", "PERSON"]
OwnScope = Annotated[Scope, Query(description="Whose: the tenant's, or one's own.")]
Whose = Annotated[
    Literal["tenant", "person"], Path(description="The tenant's keys, or one's own alone.")
]


class ProviderKeySpec(Request):
    """A key for one endpoint of a provider; it is sent to no other."""

    provider: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_][a-z0-9_.-]{0,62}$")]
    base_url: Annotated[Text, Field(max_length=2000)] = ""
    api_key: Annotated[
        Text | None,
        Field(min_length=1, max_length=8192, description="Left out, the stored one stays."),
    ] = None
    scope: Scope = "TENANT"


class NewProviderKey(ProviderKeySpec):
    """A key to keep."""

    name: Name


class ChangedProviderKey(ProviderKeySpec):
    """A key as it shall be."""

    name: Name | None = None


class ProviderKey(Reply):
    """A key of one's own; the secret is never shown."""

    name: str
    scope: str
    provider: str
    base_url: str
    sealed_by: str
    etag: str
    created: Time
    updated: Time


class ProviderKeyPage(Reply):
    """A page of keys, by name."""

    provider_keys: list[ProviderKey]
    next_page_token: str


class ChangedOwnKeys(Request):
    """Whether keys of one's own are to be used."""

    mode: Literal["OFF", "PREFERRED", "REQUIRED"]


class OwnKeys(Reply):
    """Whether keys of one's own are used."""

    scope: str
    mode: Literal["OFF", "PREFERRED", "REQUIRED"]
    etag: str = Field(description="Empty where nobody said, so that they are preferred.")
    updated: Time | None


class ProviderKeyRoutes:
    """`/api/v1/provider-keys` and `/api/v1/own-keys`."""

    def __init__(self, keys: ProviderKeyServiceStub) -> None:
        self._keys = keys

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        Configured(
            noun=ProviderKey,
            page=ProviderKeyPage,
            list_page=self.list_provider_keys,
            create=self.create_provider_key,
            get=self.get_provider_key,
            put=self.put_provider_key,
            delete=self.delete_provider_key,
        ).add_to(router, "/api/v1/provider-keys")
        made = {"headers": ETAG | RESULT}
        router.add_api_route(
            "/api/v1/own-keys/{whose}",
            self.get_own_keys,
            methods=["GET"],
            response_model=OwnKeys,
            responses=problems() | {200: {"headers": ETAG}},
        )
        router.add_api_route(
            "/api/v1/own-keys/{whose}",
            self.put_own_keys,
            methods=["PUT"],
            response_model=OwnKeys,
            responses=problems(412, 413, 415) | {200: made, 201: made | {"model": OwnKeys}},
        )
        return router

    async def list_provider_keys(self, call: CurrentCall, page: Page) -> Response:
        """Lists one's own keys and the tenant's, by name."""
        request = pb.ListProviderKeysRequest(**page)
        response = await call.read(self._keys.ListProviderKeys, request)
        provider_keys = [_key(each) for each in response.provider_keys]
        return reply(
            ProviderKeyPage(provider_keys=provider_keys, next_page_token=response.next_page_token)
        )

    async def create_provider_key(
        self, call: CurrentCall, body: NewProviderKey, validate_only: ValidateOnly = False
    ) -> Response:
        """Keeps a key."""
        request = pb.CreateProviderKeyRequest(
            provider_key=_message(body.name, body), validate_only=validate_only
        )
        response = await call.change(self._keys.CreateProviderKey, request, _NAMES)
        return created(
            _key(response.provider_key), "/api/v1/provider-keys", validate_only=validate_only
        )

    async def get_provider_key(
        self, call: CurrentCall, name: str, scope: OwnScope = "TENANT"
    ) -> Response:
        """Returns a key without its secret."""
        request = pb.GetProviderKeyRequest(name=name, scope=f"SCOPE_{scope}")
        response = await call.read(self._keys.GetProviderKey, request)
        return tagged(_key(response.provider_key))

    async def put_provider_key(
        self, call: CurrentCall, name: str, body: ChangedProviderKey, write: CurrentWrite
    ) -> Response:
        """Makes a key what the body says."""
        check_name(body.name, name)
        request = pb.UpdateProviderKeyRequest(provider_key=_message(name, body), **write.update)
        response = await call.read(self._keys.UpdateProviderKey, request, _NAMES)
        return changed(_key(response.provider_key), response.change, write)

    async def delete_provider_key(
        self, call: CurrentCall, name: str, tag: IfMatch = None, scope: OwnScope = "TENANT"
    ) -> Response:
        """Deletes a key: no call that begins after this uses it."""
        request = pb.DeleteProviderKeyRequest(name=name, etag=if_match(tag), scope=f"SCOPE_{scope}")
        await call.change(self._keys.DeleteProviderKey, request)
        return Response(status_code=204)

    async def get_own_keys(self, call: CurrentCall, whose: Whose) -> Response:
        """Says whether keys of one's own are used."""
        scope = whose.upper()
        request = pb.GetKeyModeRequest(scope=f"SCOPE_{scope}")
        response = await call.read(self._keys.GetKeyMode, request)
        return tagged(_own_keys(scope, response))

    async def put_own_keys(
        self, call: CurrentCall, whose: Whose, body: ChangedOwnKeys, write: CurrentWrite
    ) -> Response:
        """Says whether keys of one's own are used: from the next call on."""
        scope = whose.upper()
        request = pb.UpdateKeyModeRequest(
            scope=f"SCOPE_{scope}",
            mode=f"KEY_MODE_{body.mode}",
            etag=write.etag,
            validate_only=write.validate_only,
        )
        response = await call.read(self._keys.UpdateKeyMode, request)
        return changed(_own_keys(scope, response), response.change, write)


def _message(name: str, spec: ProviderKeySpec) -> pb.ProviderKey:
    return pb.ProviderKey(
        name=name,
        provider=spec.provider,
        base_url=spec.base_url,
        api_key=spec.api_key,
        scope=f"SCOPE_{spec.scope}",
    )


def _key(key: pb.ProviderKey) -> ProviderKey:
    return ProviderKey(
        name=key.name,
        scope=ScopeMessage.Name(key.scope).removeprefix("SCOPE_"),
        provider=key.provider,
        base_url=key.base_url,
        sealed_by=key.sealed_by,
        etag=key.etag,
        created=rfc3339(key.create_time),
        updated=rfc3339(key.update_time),
    )


def _own_keys(scope: str, said: pb.GetKeyModeResponse | pb.UpdateKeyModeResponse) -> OwnKeys:
    mode = pb.KeyMode.Name(said.mode or pb.KEY_MODE_PREFERRED).removeprefix("KEY_MODE_")
    return OwnKeys(
        scope=scope,
        mode=mode,  # pyright: ignore[reportArgumentType] # the contract's own names
        etag=said.etag,
        updated=time_of(said, "update_time"),
    )
