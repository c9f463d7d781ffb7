"""The routes that whatever is configured by name has: models, agents, connectors."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias

from fastapi import APIRouter, Response

from turnpike.gateway.routes.replies import ETAG, RESULT, problems
from turnpike.gateway.routes.shapes import Reply

Endpoint: TypeAlias = Callable[..., Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What is done to one noun, and what is answered."""

    noun: type[Reply]
    get: Endpoint
    put: Endpoint
    delete: Endpoint
    page: type[Reply] | None = None
    list_page: Endpoint | None = None
    create: Endpoint | None = None
    """None where a PUT to what has no name yet is the only way."""

    def add_to(self, router: APIRouter, path: str) -> None:
        """Adds the routes of the noun below a path."""
        if self.list_page is not None:
            router.add_api_route(
                path,
                self.list_page,
                methods=["GET"],
                response_model=self.page,
                responses=problems(),
            )
        if self.create is not None:
            self._add_create(router, path, self.create)
        self._add_one(router, f"{path}/{{name:name}}")

    def _add_create(self, router: APIRouter, path: str, create: Endpoint) -> None:
        would_be = {"model": self.noun, "description": "With `validate_only`: it would be created."}
        router.add_api_route(
            path,
            create,
            methods=["POST"],
            status_code=201,
            response_model=self.noun,
            responses=problems(409, 413, 415) | {200: would_be},
        )

    def _add_one(self, router: APIRouter, one: str) -> None:
        router.add_api_route(
            one,
            self.get,
            methods=["GET"],
            response_model=self.noun,
            responses=problems(404) | {200: {"headers": ETAG}},
        )
        made = {"headers": ETAG | RESULT}
        router.add_api_route(
            one,
            self.put,
            methods=["PUT"],
            response_model=self.noun,
            responses=problems(404, 409, 412, 413, 415)
            | {200: made, 201: made | {"model": self.noun}},
        )
        router.add_api_route(
            one,
            self.delete,
            methods=["DELETE"],
            status_code=204,
            responses=problems(404, 409, 412, 413, 415),
        )
