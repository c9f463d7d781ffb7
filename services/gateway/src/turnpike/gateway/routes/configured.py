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
    page: type[Reply]
    list_page: Endpoint
    create: Endpoint
    get: Endpoint
    put: Endpoint
    delete: Endpoint

    def add_to(self, router: APIRouter, path: str) -> None:
        """Adds the routes of the noun below a path."""
        router.add_api_route(
            path, self.list_page, methods=["GET"], response_model=self.page, responses=problems()
        )
        would_be = {"model": self.noun, "description": "With `validate_only`: it would be created."}
        router.add_api_route(
            path,
            self.create,
            methods=["POST"],
            status_code=201,
            response_model=self.noun,
            responses=problems(409, 413, 415) | {200: would_be},
        )
        self._add_one(router, f"{path}/{{name:name}}")

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
