"""Reads set-up files into documents, finding every mistake that can be found without a suite."""

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath

from pydantic import TypeAdapter, ValidationError

from turnpike.cli.setup.envelopes import ENVELOPES, KINDS, AnyEnvelope
from turnpike.cli.setup.mistakes import Mistake, MistakesError
from turnpike.cli.setup.specs import (
    ModelSpec,
    Spec,
    VariableSpec,
)
from turnpike.cli.setup.yaml_lines import Path, YamlDocument, YamlError, read_documents


@dataclass(frozen=True)
class Document:
    """One thing that the suite shall have."""

    file: str
    number: int
    kind: str
    name: str
    spec: Spec
    yaml: YamlDocument

    @property
    def id(self) -> tuple[str, ...]:
        """What no other document may be: a kind and a name; of a variable, whose it is too."""
        whose = (self.spec.scope,) if isinstance(self.spec, VariableSpec) else ()
        return (self.kind, self.name, *whose)

    @property
    def folder(self) -> FilePath:
        """What `file:` references are relative to."""
        return FilePath(self.file).parent

    def mistake(self, field: str, message: str) -> Mistake:
        """Returns a mistake in this document's `field`, which is below `spec`."""
        path: Path = ("spec", *_parse_path(field))
        where = f"{self.kind} {self.name!r}: {_write_path(path)}"
        return Mistake(self.file, self.number, where, message, self.yaml.line_of(path))


def load_documents(files: Sequence[tuple[str, str]]) -> list[Document]:
    """Returns the documents of (file name, text) pairs, in the order to apply them.

    Raises MistakesError with all that is wrong with them.
    """
    documents: list[Document] = []
    mistakes: list[Mistake] = []
    for file, text in files:
        for found in _read(file, text):
            if isinstance(found, Document):
                documents.append(found)
            else:
                mistakes.append(found)
    mistakes.extend(_doubles(documents))
    mistakes.extend(_planners(documents))
    if not documents and not mistakes:
        mistakes.append(Mistake(files[0][0], 0, "", "there is no document in it"))
    if mistakes:
        raise MistakesError(mistakes)
    return sorted(documents, key=_order)


def _read(file: str, text: str) -> Generator[Document | Mistake]:
    number = 0
    try:
        for number, yaml in enumerate(read_documents(text), 1):
            yield from _parse(file, number, yaml)
    except YamlError as error:
        yield Mistake(file, number + 1, "", str(error), error.line)


def _parse(file: str, number: int, yaml: YamlDocument) -> Generator[Document | Mistake]:
    content = yaml.content
    if not isinstance(content, dict):
        yield Mistake(file, number, "", "must be an object", yaml.line_of(()))
        return
    for path in yaml.repeated:
        yield Mistake(file, number, _write_path(path), "is given twice", yaml.line_of(path))
    kind = content.get("kind")
    if not isinstance(kind, str) or kind not in ENVELOPES:
        message = f"must be one of {', '.join(ENVELOPES)}"
        yield Mistake(file, number, "kind", message, yaml.line_of(("kind",)))
        return
    try:
        envelope = TypeAdapter[AnyEnvelope](ENVELOPES[kind]).validate_python(content)
    except ValidationError as error:
        yield from _mistakes(file, number, kind, yaml, error)
    else:
        yield Document(file, number, kind, envelope.name, envelope.spec, yaml)


def _mistakes(
    file: str, number: int, kind: str, yaml: YamlDocument, error: ValidationError
) -> Generator[Mistake]:
    name = yaml.content.get("name")
    title = f"{kind} {name!r}" if isinstance(name, str) else kind
    for fault in error.errors(include_url=False, include_context=False):
        path = fault["loc"]
        where = f"{title}: {_write_path(path)}"
        message = _MESSAGES.get(fault["type"], fault["msg"].removeprefix("Value error, "))
        yield Mistake(file, number, where, message, yaml.line_of(path))


_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
}


def _doubles(documents: Sequence[Document]) -> Generator[Mistake]:
    seen: dict[tuple[str, ...], Document] = {}
    for document in documents:
        first = seen.setdefault(document.id, document)
        if first is not document:
            message = f"is also document {first.number} of {first.file}"
            where = f"{document.kind} {document.name!r}: name"
            line = document.yaml.line_of(("name",))
            yield Mistake(document.file, document.number, where, message, line)


def _planners(documents: Sequence[Document]) -> Generator[Mistake]:
    """Finds planners beyond the one that a scope may have."""
    first: dict[str, Document] = {}
    for document in documents:
        spec = document.spec
        if isinstance(spec, ModelSpec) and spec.role == "planner":
            other = first.setdefault(spec.scope, document)
            if other is not document:
                message = f"is a second planner, beside {other.name!r} of {other.file}"
                yield document.mistake("role", message)


def _order(document: Document) -> tuple[int, bool]:
    # Pools come after the models that they name.
    spec = document.spec
    return KINDS.index(document.kind), isinstance(spec, ModelSpec) and bool(spec.members)


def _write_path(path: Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _parse_path(field: str) -> Path:
    return tuple(
        int(part) if part.isdecimal() else part for part in re.split(r"[.\[\]]+", field) if part
    )
