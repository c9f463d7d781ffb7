"""YAML documents, with the line of everything in them."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlDocument:
    """The content of one document, and where its parts are."""

    content: Any
    lines: dict[Path, int]
    repeated: list[Path]
    """Keys that are given twice, of which YAML would silently take the last."""

    def line_of(self, path: Path) -> int:
        """Returns the line of `path`, or of what it would be in."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)


class YamlError(Exception):
    """Text that is not YAML."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def read_documents(text: str) -> Generator[YamlDocument]:
    """Yields each document that is not empty; raises YamlError."""
    try:
        loader = yaml.SafeLoader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            document = YamlDocument(None, {}, [])
            _locate(node, (), document)
            content = loader.construct_document(node)
            yield YamlDocument(content, document.lines, document.repeated)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise YamlError(message, mark.line + 1 if mark else 0) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlError(str(error), 0) from error


def _locate(node: yaml.Node, path: Path, document: YamlDocument) -> None:
    document.lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = (*path, str(key.value))
            if name in document.lines:
                document.repeated.append(name)
            _locate(value, name, document)
            # A value may begin a line below its key.
            document.lines[name] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _locate(value, (*path, index), document)
