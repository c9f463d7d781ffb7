"""Serves turnpike.api.agent_runtime.v1.ProviderKeyService."""

from turnpike.agent_runtime.callers import person_of
from turnpike.agent_runtime.models.scopes import PERSON, TENANT, Place
from turnpike.agent_runtime.provider_keys.catalogue import ProviderKeys, Wish
from turnpike.agent_runtime.provider_keys.model import ProviderKey, rank_of
from turnpike.api.agent_runtime.v1 import model_service_pb2
from turnpike.api.agent_runtime.v1 import provider_key_service_pb2 as pb
from turnpike.api.agent_runtime.v1.provider_key_service_pb2_grpc import ProviderKeyServiceServicer
from turnpike.database.envelope import key_of
from turnpike.rpc.paging import cursor_of, number, page_size, page_token, text
from turnpike.rpc.served import Context


class ProviderKeyServicer(ProviderKeyServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.ProviderKeyService."""

    def __init__(self, keys: ProviderKeys) -> None:
        self._keys = keys

    async def CreateProviderKey(
        self, request: pb.CreateProviderKeyRequest, context: Context
    ) -> pb.CreateProviderKeyResponse:
        wish = _wish(context, request.provider_key, request.validate_only)
        made = await self._keys.create(wish)
        return pb.CreateProviderKeyResponse(provider_key=_key_to_proto(made))

    async def GetProviderKey(
        self, request: pb.GetProviderKeyRequest, context: Context
    ) -> pb.GetProviderKeyResponse:
        key = await self._keys.get(_place(context, request.scope), request.name)
        return pb.GetProviderKeyResponse(provider_key=_key_to_proto(key))

    async def ListProviderKeys(
        self, request: pb.ListProviderKeysRequest, context: Context
    ) -> pb.ListProviderKeysResponse:
        size = page_size(request.page_size)
        cursor = cursor_of(request.page_token, text, number)
        after = (cursor[0], cursor[1]) if cursor else ("", 0)
        keys = await self._keys.page(_place(context, 0), after=after, limit=size + 1)
        last = keys[size - 1] if len(keys) > size else None
        return pb.ListProviderKeysResponse(
            provider_keys=[_key_to_proto(key) for key in keys[:size]],
            next_page_token=page_token(last.name, rank_of(last)) if last else "",
        )

    async def UpdateProviderKey(
        self, request: pb.UpdateProviderKeyRequest, context: Context
    ) -> pb.UpdateProviderKeyResponse:
        key, change = await self._keys.update(
            _wish(context, request.provider_key, request.validate_only),
            etag=request.etag,
            allow_missing=request.allow_missing,
        )
        return pb.UpdateProviderKeyResponse(
            provider_key=_key_to_proto(key), change=f"CHANGE_{change}"
        )

    async def DeleteProviderKey(
        self, request: pb.DeleteProviderKeyRequest, context: Context
    ) -> pb.DeleteProviderKeyResponse:
        place = _changed_place(context, request.scope)
        await self._keys.delete(place, request.name, etag=request.etag)
        return pb.DeleteProviderKeyResponse()

    async def GetKeyMode(
        self, request: pb.GetKeyModeRequest, context: Context
    ) -> pb.GetKeyModeResponse:
        mode = await self._keys.mode(_place(context, request.scope))
        return pb.GetKeyModeResponse(
            mode=f"KEY_MODE_{mode.mode or 'UNSPECIFIED'}",
            etag=mode.etag,
            update_time=mode.updated,
        )

    async def UpdateKeyMode(
        self, request: pb.UpdateKeyModeRequest, context: Context
    ) -> pb.UpdateKeyModeResponse:
        mode, change = await self._keys.set_mode(
            _changed_place(context, request.scope),
            pb.KeyMode.Name(request.mode).removeprefix("KEY_MODE_"),
            etag=request.etag,
            validate_only=request.validate_only,
        )
        return pb.UpdateKeyModeResponse(
            mode=f"KEY_MODE_{mode.mode}",
            etag=mode.etag,
            update_time=mode.updated,
            change=f"CHANGE_{change}",
        )


def _wish(context: Context, key: pb.ProviderKey, validate_only: bool) -> Wish:
    place = _changed_place(context, key.scope)
    return Wish(
        place=place,
        key=ProviderKey(
            name=key.name,
            scope=place.scope,
            provider=key.provider,
            base_url=key.base_url.rstrip("/"),
        ),
        api_key=key.api_key if key.HasField("api_key") else None,
        validate_only=validate_only,
    )


def _changed_place(context: Context, scope: "model_service_pb2.Scope.ValueType") -> Place:
    """Returns where the caller may change something; raises `ForbiddenError` where not."""
    least = "member" if scope == model_service_pb2.SCOPE_PERSON else "admin"
    person_of(context, least=least)
    return _place(context, scope)


def _place(context: Context, scope: "model_service_pb2.Scope.ValueType") -> Place:
    person = person_of(context)
    name = PERSON if scope == model_service_pb2.SCOPE_PERSON else TENANT
    return Place(person.tenant, person.principal, name)


def _key_to_proto(key: ProviderKey) -> pb.ProviderKey:
    return pb.ProviderKey(
        name=key.name,
        scope=f"SCOPE_{key.scope}",
        provider=key.provider,
        base_url=key.base_url,
        sealed_by=key_of(key.sealed_api_key),
        etag=key.etag,
        create_time=key.created,
        update_time=key.updated,
    )
