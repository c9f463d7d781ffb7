"""What a file is: by what its sender says, or by its name."""

import re
from pathlib import PurePosixPath

from turnpike.embedding.model import Strategy

MARKDOWN = "text/markdown"
HTML = "text/html"
PDF = "application/pdf"
_OFFICE = "application/vnd.openxmlformats-officedocument"
DOCX = f"{_OFFICE}.wordprocessingml.document"
XLSX = f"{_OFFICE}.spreadsheetml.sheet"
PPTX = f"{_OFFICE}.presentationml.presentation"

EXTRACTED = frozenset({HTML, "application/xhtml+xml", PDF, DOCX, XLSX, PPTX})
"""What is no text itself, but has one."""

_UNKNOWN = "application/octet-stream"
_BY_ENDING = {
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": "application/xhtml+xml",
    ".pdf": PDF,
    ".docx": DOCX,
    ".xlsx": XLSX,
    ".pptx": PPTX,
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".xml": "application/xml",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".cjs": "text/javascript",
    ".ts": "text/x-typescript",
    ".mts": "text/x-typescript",
    ".cts": "text/x-typescript",
    ".tsx": "text/x-tsx",
    ".jsx": "text/javascript",
    ".py": "text/x-python",
    ".go": "text/x-go",
    ".rs": "text/x-rust",
    ".java": "text/x-java",
    ".kt": "text/x-kotlin",
    ".c": "text/x-c",
    ".h": "text/x-chdr",
    ".cc": "text/x-c++",
    ".cpp": "text/x-c++",
    ".cxx": "text/x-c++",
    ".hh": "text/x-c++",
    ".hpp": "text/x-c++",
    ".cs": "text/x-csharp",
    ".rb": "text/x-ruby",
    ".php": "text/x-php",
    ".swift": "text/x-swift",
    ".scala": "text/x-scala",
    ".sh": "text/x-shellscript",
    ".bash": "text/x-shellscript",
    ".sql": "text/x-sql",
    ".lua": "text/x-lua",
    ".proto": "text/x-protobuf",
}
_PLAIN = {
    ".adoc", ".bat", ".cfg", ".cmake", ".conf", ".diff", ".gradle", ".graphql", ".ini", ".log",
    ".org", ".patch", ".properties", ".ps1", ".rst", ".tex", ".tf", ".tsv",
}  # fmt: skip
_CODES = {
    ".asm", ".clj", ".cob", ".dart", ".elm", ".erl", ".ex", ".exs", ".f90", ".fs", ".groovy",
    ".hs", ".jl", ".m", ".ml", ".nim", ".pas", ".pl", ".pm", ".r", ".svelte", ".vb", ".vue",
    ".zig",
}  # fmt: skip
_NAMES = {
    "authors", "changelog", "codeowners", "contributing", "copying", "dockerfile", "license",
    "makefile", "notice", "readme", "todo",
}  # fmt: skip
"""What has no ending, and is text all the same."""

_LANGUAGES = {
    "c#": "text/x-csharp text/x-cs",
    "bash": "text/x-shellscript text/x-sh application/x-sh application/x-shellscript",
    "c": "text/x-c text/x-csrc",
    # A header may be of either; that of C++ has one's tree of the other too.
    "c++": "text/x-c++ text/x-c++src text/x-c++hdr text/x-chdr",
    "go": "text/x-go",
    "java": "text/x-java text/x-java-source",
    "javascript": "text/javascript application/javascript text/x-javascript text/jsx",
    "php": "text/x-php application/x-httpd-php",
    "python": "text/x-python text/x-script.python",
    "ruby": "text/x-ruby application/x-ruby",
    "rust": "text/x-rust text/rust",
    "tsx": "text/x-tsx text/tsx",
    "typescript": "text/x-typescript text/typescript application/typescript",
}
_BY_TYPE = {
    media_type: language for language, types in _LANGUAGES.items() for media_type in types.split()
}
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_TEXTUAL = re.compile(
    r"text/.*|application/(json|yaml|toml|xml|javascript|typescript|x-[a-z]*script|x-sh|x-ruby"
    r"|x-httpd-php|.*\+(json|xml|yaml))"
)
_CODE = re.compile(r"text/(x-.*|javascript|css)|application/(javascript|x-.*script)")


def media_type_of(stated: str, path: str) -> str:
    """Returns what a file at a path is; its parameters, such as a charset, left away.

    Returns an empty string for what cannot be a media type.
    """
    plain = stated.partition(";")[0].strip().lower()
    if plain in ("", _UNKNOWN):
        return _by_name(PurePosixPath(path))
    return plain if _MEDIA_TYPE.fullmatch(plain) else ""


def _by_name(file: PurePosixPath) -> str:
    ending = file.suffix.lower()
    if ending in _PLAIN or file.name.lower() in _NAMES:
        return "text/plain"
    return _BY_ENDING.get(ending, "text/x-source" if ending in _CODES else _UNKNOWN)


def is_text(media_type: str) -> bool:
    """Says whether a file's bytes are its text."""
    return media_type not in EXTRACTED and bool(_TEXTUAL.fullmatch(media_type))


def strategy_for(media_type: str) -> Strategy:
    """Returns where such a file's text is best divided."""
    if media_type in _BY_TYPE or _CODE.fullmatch(media_type):
        return Strategy.CODE
    if media_type == "text/plain" or media_type == PDF:
        return Strategy.RECURSIVE
    return Strategy.TABLE


def language_of(media_type: str) -> str:
    """Returns the language of code whose syntax is known, or nothing."""
    return _BY_TYPE.get(media_type, "")
