"""What is odd about the text of a tool's definition: hidden, misleading or commanding.

A flag is no proof. A tool whose definition is flagged waits until somebody has read it.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Any, cast

import orjson


class Flag(StrEnum):
    """What is odd."""

    INVISIBLE = "INVISIBLE"
    """Characters that are not seen: zero-width, tags, private use, controls."""

    BIDIRECTIONAL = "BIDIRECTIONAL"
    """Characters that change the direction in which text is read."""

    HIDDEN_MARKUP = "HIDDEN_MARKUP"
    """Comments, tags and escapes that a page does not show and a model reads."""

    INSTRUCTIONS = "INSTRUCTIONS"
    """Words to a model that have nothing to do with the tool."""

    SHADOWING = "SHADOWING"
    """Words about another connector's tool."""

    CONFUSABLE = "CONFUSABLE"
    """A name of letters that look like others."""


_BIDIRECTIONAL = frozenset(
    "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_PLAIN_CONTROLS = frozenset("\n\r\t")
_JOINERS = frozenset("\u200d\ufe0f\ufe0e")
# Blank in every font, though no control or format character.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_TAGS = (
    "important|system|instructions?|secret|hidden|assistant"
    "|script|style|div|span|details|img|iframe|svg|meta"
)
# Every repetition is bounded: the text is a stranger's, and may be made to take for ever.
_MARKUP = re.compile(
    r"<!--|<!\[CDATA\["
    rf"|</?(?:{_TAGS})\b|<\s{{0,20}}/?\s{{0,20}}(?:{_TAGS})\s{{0,20}}>"
    r"|display\s{0,20}:\s{0,20}none|visibility\s{0,20}:\s{0,20}hidden"
    r"|font-size\s{0,20}:\s{0,20}0|\[//\]:\s{0,20}[#<]"
    r"|\[INST\]|<\|[a-z_]+\|>|\\x1b\[|&(?:#\d+|#x[0-9a-f]+|zwnj|zwj|shy);",
    re.IGNORECASE,
)
_COMMANDS = re.compile(
    r"(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+|every\s+|your\s+|the\s+)*"
    r"(?:previous|prior|earlier|above|other|system)\s+(?:\w+\s+)?(?:instructions?|prompts?|rules?|tools?)"
    r"|(?:do\s+not|don't|never|without)\s+(?:tell|telling|mention|mentioning|inform|informing|reveal"
    r"|revealing|notify|notifying|ask|asking|show|showing)\b[^.]{0,40}\b(?:user|person|human|anyone|this)"
    r"|(?:before|prior\s+to|after|whenever|when)\s+(?:using|calling|invoking|you\s+(?:use|call))\s+"
    r"(?:this|any|the|another|other|every)\b[^.]{0,80}\b(?:read|send|call|include|append|upload|pass|bcc|forward)\b"
    r"|(?:read|include|send|attach|upload|append|cat|pass)\b[^.]{0,60}(?:~/\.\w+|\.ssh\b|id_rsa|\.env\b"
    r"|/etc/passwd|\bcredentials?\s+file|\bprivate\s+key|\bsystem\s+prompt|conversation\s+history"
    r"|previous\s+messages)"
    r"|\byou\s+must\s+(?:always\s+|first\s+|also\s+)?(?:call|read|send|use\s+this|include|forward|bcc)\b"
    r"|\b(?:instead\s+of|rather\s+than)\s+(?:any\s+other|all\s+other|the\s+other)\s+tools?\b"
    r"|\bnew\s+(?:system\s+)?instructions?\s*:",
    re.IGNORECASE,
)
_PIECE, _OVERLAP = 8000, 500
_LOOSE_JOINER = re.compile(r"(?:^|(.))[\u200d\ufe0f\ufe0e]", re.DOTALL)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{4,}[A-Za-z0-9]")


def flags_of(definition: str, *, others: Collection[str] = ()) -> frozenset[Flag]:
    """Returns what is odd about a definition, canonical JSON.

    Args:
        definition: The definition.
        others: The full names, `connector/tool`, of other connectors' tools.
    """
    shown = cast("dict[str, Any]", orjson.loads(definition))
    texts = list(_texts(shown))
    found = {flag for text in texts for flag in _flags_of_text(text)}
    if _is_confusable(str(shown.get("name", ""))):
        found.add(Flag.CONFUSABLE)
    if _names_another(texts, str(shown.get("name", "")), others):
        found.add(Flag.SHADOWING)
    return frozenset(found)


def shown_plainly(text: str) -> str:
    """Returns a text in which what cannot be seen is spelled out, for who reviews it."""
    return "".join(
        f"[U+{ord(each):04X}]"
        if each in _BIDIRECTIONAL or _is_invisible(each) or each in _JOINERS
        else each
        for each in text
    )


def _flags_of_text(text: str) -> Iterator[Flag]:
    characters = set(text)
    if not _BIDIRECTIONAL.isdisjoint(characters):
        yield Flag.BIDIRECTIONAL
    joined = not _JOINERS.isdisjoint(characters)
    if any(_is_invisible(each) for each in characters) or (joined and _has_loose_joiner(text)):
        yield Flag.INVISIBLE
    if _occurs(_MARKUP, text):
        yield Flag.HIDDEN_MARKUP
    if _occurs(_COMMANDS, text):
        yield Flag.INSTRUCTIONS


def _occurs(pattern: re.Pattern[str], text: str) -> bool:
    # Piece by piece: nothing else of this process runs while one search does.
    starts = range(0, max(1, len(text)), _PIECE)
    return any(pattern.search(text, start, start + _PIECE + _OVERLAP) for start in starts)


def _is_invisible(character: str) -> bool:
    if character in _PLAIN_CONTROLS or character in _JOINERS or character in _BIDIRECTIONAL:
        return False
    if character in _BLANK or 0xFE00 <= ord(character) <= 0xFE0D or ord(character) >= 0xE0100:
        return True
    return unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")


def _has_loose_joiner(text: str) -> bool:
    # Joiners are at home in emoji, and nowhere else here.
    return any(
        found[1] is None or not _is_pictorial(found[1]) for found in _LOOSE_JOINER.finditer(text)
    )


def _is_pictorial(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) in (
        "So",
        "Sk",
        "Sm",
        "Po",
        "Nd",
    )


def _is_confusable(name: str) -> bool:
    scripts = {unicodedata.name(each, "").split(" ")[0] for each in name if each.isalpha()}
    return len(scripts) > 1 or unicodedata.normalize("NFKC", name) != name


def _names_another(texts: list[str], own: str, others: Collection[str]) -> bool:
    # Names that are plain words are said by chance.
    telling = {
        name
        for full in others
        for name in (full, full.partition("/")[2])
        if any(mark in name for mark in "_-/") and name != own
    }
    if not telling:
        return False
    return any(word in telling for text in texts for word in _WORD.findall(text))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _texts(each)
    elif isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            yield key
            yield from _texts(each)
