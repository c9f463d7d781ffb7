"""A client of the gateway that answers with values, or with errors for people."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import httpx

from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.target import Target

_LOCAL = ("127.0.0.1", "::1", "localhost")
_CONNECT_TIMEOUT = timedelta(seconds=10)
# Longer than the gateway waits for a connector that was never seen before.
_REPLY_TIMEOUT = timedelta(seconds=60)
# Streams carry a comment at least each 15 s.
_SILENCE_TIMEOUT = timedelta(seconds=45)


class UnreachableError(CommandError):
    """The gateway does not answer, or stopped in the middle."""


@dataclass(frozen=True)
class FieldFault:
    """What is wrong with one field of a request."""

    field: str
    message: str


class RefusalError(CommandError):
    """The gateway said no, and why."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        detail = str(problem.get("detail") or problem.get("title") or "refused")
        reason = str(problem.get("reason") or "")
        super().__init__(
            f"{detail} ({status} {reason})" if reason else f"{detail} ({status})", reason=reason
        )
        self.http_status = status
        self.detail = detail
        errors = problem.get("errors")
        self.faults = [
            FieldFault(str(fault.get("field", "")), str(fault.get("message", "")))
            for fault in (errors if isinstance(errors, list) else [])
            if isinstance(fault, dict)
        ]


class GatewayClient:
    """The gateway's REST interface, as one principal sees it."""

    def __init__(self, target: Target) -> None:
        self.url = target.url
        try:
            self._client = httpx.Client(
                base_url=target.url,
                # No proxy leads to this machine itself.
                trust_env=httpx.URL(target.url).host not in _LOCAL,
                headers={"authorization": f"Bearer {target.key}"},
                timeout=httpx.Timeout(
                    _REPLY_TIMEOUT.total_seconds(), connect=_CONNECT_TIMEOUT.total_seconds()
                ),
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise CommandError(f"{target.url!r} with this key cannot be used: {error}") from error

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Sends a request; raises RefusalError or UnreachableError unless it succeeds."""
        with self._explained():
            response = self._client.request(method, path, **options)
        _check(response)
        return response

    def fetch(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Sends a request; returns the object in the reply."""
        response = self.call(method, path, **options)
        if not response.content:
            return {}
        try:
            return response.json()
        except ValueError as error:
            raise CommandError(f"{self.url} does not answer like a gateway of ours") from error

    def pages(self, path: str, plural: str, **query: str) -> Generator[dict[str, Any]]:
        """Yields what a list holds, page by page."""
        token = ""
        while True:
            params = {**query, **({"page_token": token} if token else {})}
            page = self.fetch("GET", path, params=params)
            yield from page.get(plural, [])
            token = page.get("next_page_token", "")
            if not token:
                return

    @contextmanager
    def stream(self, method: str, path: str, **options: Any) -> Generator[httpx.Response]:
        """Sends a request whose reply is read while it comes."""
        headers = {"accept": "text/event-stream", **options.pop("headers", {})}
        timeout = httpx.Timeout(
            _SILENCE_TIMEOUT.total_seconds(), connect=_CONNECT_TIMEOUT.total_seconds()
        )
        with (
            self._explained(),
            self._client.stream(
                method, path, headers=headers, timeout=timeout, **options
            ) as response,
        ):
            if not response.is_success:
                response.read()
            _check(response)
            yield response

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise UnreachableError(f"{self.url} does not answer: {reason}") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise CommandError(f"{self.url!r} cannot be asked: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    raise RefusalError(response.status_code, problem if isinstance(problem, dict) else {})
