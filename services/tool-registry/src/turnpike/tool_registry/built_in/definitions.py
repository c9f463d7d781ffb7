"""What the tools of `builtin:knowledge` say of themselves."""

from typing import Any

_TEXT = {"type": "string"}
_COLLECTION = {"type": "string", "minLength": 1, "description": "The collection's name."}
_PATH = {
    "type": "string",
    "minLength": 2,
    "description": "The document's path in the collection: /contracts/2026/lease.md",
}
_EXPECTED = {
    "type": "integer",
    "minimum": 1,
    "description": "The revision that you read. With another one nothing is changed.",
}
_READS = {"readOnlyHint": True, "openWorldHint": False}
# Each call is made once under its effect's id, so asking again does no harm.
_WRITES = {"readOnlyHint": False, "idempotentHint": True, "openWorldHint": False}


def _tool(
    name: str,
    description: str,
    annotations: dict[str, Any],
    required: list[str],
    **properties: dict[str, Any],
) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "annotations": annotations,
        "inputSchema": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        },
    }


TOOLS = [
    _tool(
        "search_knowledge",
        "Search the tenant's documents by meaning and by words. Returns passages, each with its "
        "document's path and lines, to cite.",
        _READS,
        ["query"],
        query={"type": "string", "minLength": 1, "maxLength": 4096},
        collections={"type": "array", "items": _TEXT, "maxItems": 32},
        folder={"type": "string", "description": "Only documents in this folder, or below."},
        limit={"type": "integer", "minimum": 1, "maximum": 50},
        max_tokens={"type": "integer", "minimum": 1, "description": "Of all passages together."},
        plan={
            "type": "boolean",
            "description": "Have the planner model, if there is one, word the query anew and read "
            "its days (`last week`), while it is searched as it is: up to a second longer.",
        },
        time_zone={"type": "string", "description": "In which days are meant: Europe/Berlin."},
    ),
    _tool(
        "list_documents",
        "List the documents of a collection, or of a folder in it; without a collection, list the "
        "collections.",
        _READS,
        [],
        collection=_COLLECTION,
        folder={"type": "string", "description": "Only what is in this folder, or below."},
        page_token={"type": "string", "description": "The next_page_token of the page before."},
    ),
    _tool(
        "read_document",
        "Read lines of a document's text, and learn its revision.",
        _READS,
        ["collection", "path"],
        collection=_COLLECTION,
        path=_PATH,
        first_line={"type": "integer", "minimum": 1},
        last_line={"type": "integer", "minimum": 1},
    ),
    _tool(
        "write_document",
        "Write a document: a new one, or all of the text of the one at the path. Returns a "
        "receipt; without one nothing was written.",
        _WRITES | {"destructiveHint": True},
        ["collection", "path", "text"],
        collection=_COLLECTION,
        path=_PATH,
        text=_TEXT,
        title=_TEXT,
        expected_revision=_EXPECTED | {"minimum": 0, "description": "0: it must be new."},
    ),
    _tool(
        "edit_document",
        "Replace a part of a document's text, which must be in it exactly once. Returns a "
        "receipt; without one nothing was changed.",
        _WRITES | {"destructiveHint": True},
        ["collection", "path", "old_text", "new_text"],
        collection=_COLLECTION,
        path=_PATH,
        old_text={"type": "string", "minLength": 1},
        new_text=_TEXT,
        expected_revision=_EXPECTED,
    ),
    _tool(
        "move_document",
        "Move a document, or a folder with everything in it. Returns a receipt; without one "
        "nothing was moved.",
        _WRITES | {"destructiveHint": False},
        ["collection", "path", "new_path"],
        collection=_COLLECTION,
        path=_PATH,
        new_path=_PATH,
        expected_revision=_EXPECTED,
    ),
    _tool(
        "delete_document",
        "Delete a document; people can take that back. Returns a receipt; without one nothing "
        "was deleted.",
        _WRITES | {"destructiveHint": True},
        ["collection", "path"],
        collection=_COLLECTION,
        path=_PATH,
        expected_revision=_EXPECTED,
    ),
]
