"""What every turnpike server does around a call."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import grpc

from turnpike.rpc.access import check_access
from turnpike.rpc.errors import (
    DeadlineExceededError,
    RemoteError,
    ServiceError,
    UnauthenticatedError,
    from_rpc_error,
    of_peer,
    to_status,
    trailing_metadata,
)
from turnpike.rpc.hearing import hear_out
from turnpike.rpc.identity import Caller
from turnpike.rpc.observation import observed
from turnpike.rpc.served import Context, ServedContext
from turnpike.rpc.tenure import UntilRevoked, tenure
from turnpike.rpc.validation import check_request, reading

logger = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Authenticate: TypeAlias = Callable[[str], Awaitable[Caller]]
"""Returns who shows a credential, or raises a `ServiceError`."""
Translate: TypeAlias = Callable[[Exception], ServiceError | None]
"""Says what a library's exception means to a caller; None if it is unforeseen."""

OURS = "/turnpike."


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Serves every call of a turnpike service in the same way.

    gRPC's own services, health and reflection, look after themselves.

    Outermost first, a call passes:

    1. telemetry, which must see the final status, so nothing is outside of it;
    2. error status, which must come after telemetry, whose trace its logs name,
       and before all that may raise;
    3. authentication, which must come after error status, since it raises;
    4. access: what the caller's role and its key's scopes allow;
    5. validation, which must come after both: a stranger learns nothing of our
       constraints, and costs no CPU.

    They are one interceptor, so that the order is read in one function.

    Args:
        domain: Of errors that name none themselves, `<service>.turnpike`.
        authenticate: Tells callers by their credentials; None admits everybody.
        until_revoked: Tells when a caller's credential is revoked, which ends the
            caller's streams; None lets them go on.
        open_methods: Full names of methods that need no credential.
        translate: Gives exceptions of libraries, such as a driver's, a meaning.
    """

    def __init__(
        self,
        *,
        domain: str,
        authenticate: Authenticate | None = None,
        until_revoked: UntilRevoked | None = None,
        open_methods: frozenset[str] = frozenset(),
        translate: Translate | None = None,
    ) -> None:
        self._domain = domain
        self._authenticate = authenticate
        self._until_revoked = until_revoked
        self._open_methods = open_methods
        self._translate = translate
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wraps the handler gRPC is about to call."""
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None or not method.startswith(OURS):
            return handler
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            known = self._wrapped[method] = (handler, self._wrap(method, handler))
        return known[1]

    def _wrap(self, method: str, handler: Any) -> Handler:
        """Returns `handler` with each call inside `_serving`.

        Our streaming methods are async generators; gRPC's alternative, a coroutine
        that calls `context.write`, is not supported here.
        """
        kind = (
            f"{'stream' if handler.request_streaming else 'unary'}"
            f"_{'stream' if handler.response_streaming else 'unary'}"
        )
        behaviour = getattr(handler, kind)

        async def answer(request: Any, context: Context) -> Any:
            async with self._serving(method, request, context) as served:
                return await behaviour(request, served)

        async def stream(request: Any, context: Context) -> AsyncGenerator[Any]:
            async with (
                self._serving(method, request, context) as served,
                aclosing(behaviour(request, served)) as responses,
            ):
                with tenure(served.caller, self._until_revoked) as held:
                    held.waiting = True
                    async for response in responses:
                        held.waiting = False
                        yield response
                        held.check()
                        held.waiting = True

        return getattr(grpc, f"{kind}_rpc_method_handler")(
            stream if handler.response_streaming else answer,
            reading(handler.request_deserializer),
            handler.response_serializer,
        )

    @asynccontextmanager
    async def _serving(
        self, method: str, request: Any, context: Context
    ) -> AsyncGenerator[ServedContext]:
        metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
        with observed(method, metadata.get("traceparent")) as observation:
            try:
                served = ServedContext(context)
                if self._authenticate is not None and method not in self._open_methods:
                    credential = _credential(metadata.get("authorization"))
                    served.caller = await self._authenticate(credential)
                    check_access(method, served.caller)
                check_request(request)
                yield served
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001
                # The one place that catches everything. Cancellation is not an
                # `Exception`, so it passes through.
                meaning = self._meaning(error)
                observation.code = meaning.code.name if meaning else "INTERNAL"
                if isinstance(request, AsyncIterator):
                    await hear_out(request)
                await self._abort(context, meaning)

    def _meaning(self, error: Exception) -> ServiceError | None:
        meaning = error if isinstance(error, ServiceError) else self._foreseen(error)
        if meaning is None:
            logger.error("unhandled error", exc_info=error)
        elif meaning is not error:
            logger.warning("%s: %s", meaning, type(error).__name__, exc_info=error)
        return meaning

    def _foreseen(self, error: Exception) -> ServiceError | None:
        if isinstance(error, grpc.aio.AioRpcError):
            error = from_rpc_error(error)
        if isinstance(error, RemoteError):
            return of_peer(error)
        if self._translate is not None and (meaning := self._translate(error)) is not None:
            return meaning
        if isinstance(error, asyncio.TimeoutError):
            return DeadlineExceededError("this took too long")
        return None

    async def _abort(self, context: Context, meaning: ServiceError | None) -> None:
        if meaning is None:
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")
        else:
            status = to_status(meaning, self._domain)
            trailing = trailing_metadata(meaning, self._domain)
            await context.abort(meaning.code, status.message, trailing)


def _credential(authorization: Any) -> str:
    if not isinstance(authorization, str):
        raise UnauthenticatedError("this needs a credential: authorization: Bearer …")
    scheme, _, credential = authorization.partition(" ")
    if scheme.lower() != "bearer" or not credential:
        raise UnauthenticatedError("the credential must be given as: Bearer …")
    return credential.strip()
