"""What bytes are, whatever somebody says of them."""

import codecs

UNKNOWN = "application/octet-stream"
_TEXT = "text/plain"
_HEAD = 16
_SIGNATURES = (
    ("image/png", b"\x89PNG\r\n\x1a\n", 0),
    ("image/jpeg", b"\xff\xd8\xff", 0),
    ("image/gif", b"GIF87a", 0),
    ("image/gif", b"GIF89a", 0),
    ("image/webp", b"WEBP", 8),
    ("application/pdf", b"%PDF-", 0),
)
_SIGNED = frozenset(media_type for media_type, _, _ in _SIGNATURES)
IMAGES = frozenset(each for each in _SIGNED if each.startswith("image/"))
"""The images that models are shown."""

_TEXTUAL = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/sql",
        "application/toml",
        "application/x-sh",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)


class MediaTypeError(ValueError):
    """The bytes are not what they are said to be."""


def is_text(media_type: str) -> bool:
    """Says whether bytes of a media type are UTF-8 text."""
    return (
        media_type.startswith("text/")
        or media_type in _TEXTUAL
        or media_type.endswith(("+json", "+xml"))
    )


class Sniffer:
    """Sees all of a file's bytes go by, and says what they are."""

    def __init__(self) -> None:
        self.size = 0
        self._head = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._readable = True

    def take(self, chunk: bytes) -> None:
        """Looks at the next bytes."""
        self.size += len(chunk)
        self._head = self._head or chunk[:_HEAD]
        if self._readable:
            self._readable = self._decodes(chunk, final=False)

    def media_type(self, said: str) -> str:
        """Returns what all the bytes are; `said` may be empty.

        Raises:
            MediaTypeError: They are something else than was said.
        """
        text = self._readable and self._decodes(b"", final=True)
        found = self._signed() or (_TEXT if text else UNKNOWN)
        if said in ("", UNKNOWN):
            return found
        signed = found if found in _SIGNED else ""
        if (said in _SIGNED or signed) and said != signed:
            raise MediaTypeError(f"the bytes are {found}, not {said}")
        if is_text(said) and not text:
            raise MediaTypeError(f"the bytes are no text, as {said} would be")
        return said

    def _signed(self) -> str:
        for media_type, signature, at in _SIGNATURES:
            if self._head[at : at + len(signature)] == signature:
                return media_type
        return ""

    def _decodes(self, chunk: bytes, *, final: bool) -> bool:
        try:
            return "\0" not in self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            return False
