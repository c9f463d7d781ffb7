"""What a tree of code is made of: the parts that are better not divided, and the definitions."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_DEPTH = 12
"""How deep units lie in each other; what is deeper is divided at its lines."""

DEFINITIONS = frozenset(
    [
        "abstract_class_declaration",
        "annotation_type_declaration",
        "class",
        "class_declaration",
        "class_definition",
        "class_specifier",
        "compact_constructor_declaration",
        "constructor_declaration",
        "delegate_declaration",
        "destructor_declaration",
        "enum_declaration",
        "enum_item",
        "enum_specifier",
        "function_declaration",
        "function_definition",
        "function_item",
        "function_signature",
        "generator_function_declaration",
        "impl_item",
        "interface_declaration",
        "internal_module",
        "macro_definition",
        "method",
        "method_declaration",
        "method_definition",
        "mod_item",
        "module",
        "namespace_declaration",
        "namespace_definition",
        "operator_declaration",
        "property_declaration",
        "record_declaration",
        "singleton_method",
        "struct_declaration",
        "struct_item",
        "struct_specifier",
        "trait_declaration",
        "trait_item",
        "type_alias_declaration",
        "type_declaration",
        "union_item",
        "union_specifier",
    ]
)
"""What the grammars call that which has a name of its own, the languages together."""

_WRAPPERS = frozenset(
    ["decorated_definition", "export_statement", "template_declaration", "ambient_declaration"]
)
"""What a definition is the rest of."""

_COMMENTS = frozenset(["comment", "line_comment", "block_comment"])
_MARKS = frozenset(
    [
        "annotation",
        "attribute_declaration",
        "attribute_item",
        "attribute_list",
        "decorator",
        "marker_annotation",
    ]
)
"""What says something of the definition below it."""

_FUNCTIONS = frozenset(["arrow_function", "function_expression", "generator_function", "class"])
_REST = re.compile(rb"[;,)\]} \t\r]*(?:(?://|#|--|/\*)[^\n]*)?(?:\n|\Z)")
"""What may follow a unit on its last line and is still of it."""

_SHORT = 200
"""In how many bytes of one line nothing is looked for."""

_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Unit:
    """A part that is better not divided."""

    depth: int
    """In how many others it is."""

    above: int
    """Where the comments and marks begin that belong to it, or `start`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Definition:
    """Something with a name."""

    start: int
    """Where it begins, with what belongs to it."""

    end: int
    title: str


def found(source: bytes, root: "Node") -> tuple[list[Unit], list[Definition]]:
    """Returns what a tree has of both, in the order of the text; places are bytes."""
    walk = _Walk(source)
    # A tree may be deeper than Python's stack.
    waiting = [_Step(child, 0, -1) for child in reversed(root.named_children)]
    while waiting:
        inner = walk.visit(waiting.pop())
        waiting += reversed(inner)
    return walk.units, walk.definitions


@dataclass(frozen=True, slots=True)
class _Step:
    node: "Node"
    depth: int
    row: int
    """That on which the unit around it begins."""

    wraps: int = -1
    """Where the wrapper begins whose definition this is; -1: there is none."""

    of_definition: bool = False
    """Whether what is around it is a definition, or part of its head."""


class _Walk:
    def __init__(self, source: bytes) -> None:
        self._source = source
        self.units: list[Unit] = []
        self.definitions: list[Definition] = []
        self._above = _Above(-1, -1, -1)

    def visit(self, step: _Step) -> list[_Step]:
        """Notes a node; returns what is to be looked for in it."""
        node = step.node
        if node.type in _COMMENTS or (node.type in _MARKS and not step.of_definition):
            self._put_above(step)
            return []
        is_definition, depth, row = _is_definition(node), step.depth, step.row
        above = start = node.start_byte
        if self._is_unit(step, is_definition=is_definition):
            above = self._above.of(step)
            line, own = self._line(above), self._line(start)
            self.units.append(Unit(depth, line, own, self._end(node)))
            depth, row = depth + 1, node.start_point.row
        if is_definition:
            begins = min(above, step.wraps) if step.wraps >= 0 else above
            self.definitions.append(Definition(begins, node.end_byte, _title(self._source, node)))
        if depth >= MAX_DEPTH or self._is_short(node):
            return []
        wraps = above if node.type in _WRAPPERS else -1
        heads = is_definition or node.type == "modifiers"
        return [_Step(child, depth, row, wraps, heads) for child in node.named_children]

    def _is_unit(self, step: _Step, *, is_definition: bool) -> bool:
        node = step.node
        if node.start_point.row == step.row or (step.wraps >= 0 and is_definition):
            return False
        if is_definition or node.type in _WRAPPERS:
            return True
        return self._begins_line(node) and not self._is_list(node)

    def _line(self, place: int) -> int:
        """Returns where the line begins on which a place is the first, else the place."""
        line = self._source.rfind(b"\n", 0, place) + 1
        return place if self._source[line:place].strip() else line

    def _begins_line(self, node: "Node") -> bool:
        line = self._source.rfind(b"\n", 0, node.start_byte) + 1
        return not self._source[line : node.start_byte].strip()

    def _is_list(self, node: "Node") -> bool:
        """Says whether there is nothing to a node but its parts, as to a block of statements."""
        parts = node.named_children
        if not parts or parts[0].start_byte != node.start_byte:
            return False
        return any(part.start_point.row > parts[0].start_point.row for part in parts[1:]) and any(
            self._begins_line(part) for part in parts[1:]
        )

    def _is_short(self, node: "Node") -> bool:
        one_line = node.start_point.row == node.end_point.row
        return one_line and node.end_byte - node.start_byte < _SHORT

    def _end(self, node: "Node") -> int:
        end = node.end_byte
        if self._source[end - 1 : end] == b"\n":
            return end
        rest = _REST.match(self._source, end)
        return rest.end() if rest else end

    def _put_above(self, step: _Step) -> None:
        node = step.node
        if self._begins_line(node):
            self._above = _Above(self._above.of(step), _last_row(node), step.depth)


@dataclass(frozen=True, slots=True)
class _Above:
    """The comments and marks read last."""

    start: int
    row: int
    """The last one of theirs."""

    depth: int

    def of(self, step: _Step) -> int:
        """Returns where a node begins with these, if they are right above it."""
        near = self.depth == step.depth and self.row <= step.node.start_point.row <= self.row + 1
        return self.start if near else step.node.start_byte


def _last_row(node: "Node") -> int:
    end = node.end_point
    return end.row - 1 if end.column == 0 and end.row > node.start_point.row else end.row


def _is_definition(node: "Node") -> bool:
    if node.type == "variable_declarator":
        value = node.child_by_field_name("value")
        return value is not None and value.type in _FUNCTIONS
    if node.type.endswith("_specifier"):  # else it is the use of a type
        return node.type in DEFINITIONS and node.child_by_field_name("body") is not None
    return node.type in DEFINITIONS


def _title(source: bytes, node: "Node") -> str:
    """Returns a definition's head on one line: what is before its body."""
    start, body = node.start_byte, node.child_by_field_name("body")
    end = body.start_byte if body else node.end_byte
    for part in node.named_children:
        if part.type == "modifiers":
            start = max([start, *(m.end_byte for m in part.named_children if m.type in _MARKS)])
        elif part.type in _MARKS:
            start = max(start, part.end_byte)
        elif part.type in _COMMENTS and part.start_byte < end:
            end = part.start_byte
    head = source[start : min(end, start + 8 * _LONGEST_TITLE)].decode(errors="replace").strip()
    if body is None:
        head = head.partition("\n")[0]
    return " ".join(head.split())[:_LONGEST_TITLE].rstrip("{:= ")
