"""What a document is called whose owner did not say."""

import re
from pathlib import PurePosixPath

from turnpike.embedding.knowledge import kinds

_HEADING = re.compile(r"^ {0,3}# +(.+?)(?: +#+)? *$", re.MULTILINE)
_READ = 4096
_LENGTH = 512


def title_of(text: str, media_type: str, path: str) -> str:
    """Returns the first heading of a Markdown text, else the file's name."""
    heading = _HEADING.search(text[:_READ]) if media_type == kinds.MARKDOWN else None
    return (heading[1] if heading else PurePosixPath(path).name)[:_LENGTH]
