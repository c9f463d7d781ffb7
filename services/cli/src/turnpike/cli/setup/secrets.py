"""Secrets by reference: `env:NAME` and `file:PATH`, resolved where the set-up is applied."""

from collections.abc import Mapping
from pathlib import Path

from turnpike.cli.setup.documents import Document
from turnpike.cli.setup.mistakes import Mistake, MistakesError
from turnpike.cli.setup.specs import (
    ConnectorSpec,
    ModelSpec,
    ProviderKeySpec,
    Spec,
    VariableSpec,
)


class _MissingError(Exception):
    """A reference to a secret that is not there."""


def resolve_secrets(
    documents: list[Document], environment: Mapping[str, str]
) -> dict[tuple[str, ...], Spec]:
    """Returns each document's spec, by its id, with its secrets; raises MistakesError."""
    mistakes: list[Mistake] = []
    specs: dict[tuple[str, ...], Spec] = {}
    for document in documents:
        secrets: dict[str, str] = {}
        for field, value in _secret_fields(document.spec).items():
            try:
                secrets[field] = _resolve(value, document.folder, environment)
            except _MissingError as error:
                mistakes.append(document.mistake(field, str(error)))
        specs[document.id] = _with_secrets(document.spec, secrets)
    if mistakes:
        raise MistakesError(mistakes)
    return specs


def _secret_fields(spec: Spec) -> dict[str, str]:
    if isinstance(spec, ModelSpec | ProviderKeySpec):
        return {"api_key": spec.api_key} if spec.api_key else {}
    if isinstance(spec, VariableSpec):
        return {"value": spec.value}
    if not isinstance(spec, ConnectorSpec):
        return {}
    return {
        **{f"headers.{name}": value for name, value in spec.headers.items()},
        **{f"env.{name}": value for name, value in spec.env.items()},
    }


def _with_secrets(spec: Spec, secrets: Mapping[str, str]) -> Spec:
    if isinstance(spec, ModelSpec | ProviderKeySpec | VariableSpec):
        return spec.model_copy(update=dict(secrets))
    if not isinstance(spec, ConnectorSpec):
        return spec
    changes = {
        field: {name: secrets.get(f"{field}.{name}", "") for name in getattr(spec, field)}
        for field in ("headers", "env")
        if getattr(spec, field)
    }
    return spec.model_copy(update=changes)


def _resolve(value: str, folder: Path, environment: Mapping[str, str]) -> str:
    kind, colon, reference = value.partition(":")
    if not colon or kind not in ("env", "file"):
        return value
    if kind == "env":
        if not environment.get(reference):
            raise _MissingError(f"the environment variable {reference!r} is not set")
        return environment[reference]
    try:
        secret = (folder / Path(reference).expanduser()).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        raise _MissingError(f"the file {reference!r} cannot be read: {error}") from error
    if not secret:
        raise _MissingError(f"the file {reference!r} is empty")
    return secret
