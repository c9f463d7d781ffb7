"""Reads one file's text, alone in a process: `python -m turnpike.embedding.extractors TYPE …`.

The file comes on stdin, its text goes to stdout, and what is wrong with it is the last line
of stderr. The libraries are imported once the limits hold.
"""

import io
import sys
from collections.abc import Callable, Iterator

from turnpike.embedding.confinement import confine

_OFFICE = "application/vnd.openxmlformats-officedocument"
_MAX_UNPACKED = 256 << 20
"""How many bytes an Office file may unpack to: a small one can say it has terabytes."""


def main() -> None:
    """Extracts what is on stdin."""
    media_type, memory, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    confine(memory, seconds)
    extract = _EXTRACTORS[media_type]
    try:
        text = extract(sys.stdin.buffer.read())
    except MemoryError:
        sys.exit("it needs more memory than it may have")
    except Exception as error:  # noqa: BLE001 # the libraries raise whatever they come across
        sys.exit(f"{type(error).__name__}: {error}")
    sys.stdout.buffer.write(text.encode(errors="replace"))


def _pdf(original: bytes) -> str:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(original))
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("it is encrypted")
    return "\n\n".join(page.extract_text() for page in reader.pages)


def _html(original: bytes) -> str:
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(original, "html.parser")
    for hidden in soup(["script", "style", "template", "noscript", "head"]):
        hidden.decompose()
    converter = MarkdownConverter(heading_style="atx", strip=["img"])
    return converter.convert_soup(soup).strip()


def _docx(original: bytes) -> str:
    from docx import Document
    from docx.table import Table

    document = Document(_unpackable(original))
    blocks: list[str] = []
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            blocks.append(_table([[cell.text for cell in row.cells] for row in block.rows]))
        else:
            blocks.append(_heading((block.style and block.style.name) or "", block.text))
    return "\n\n".join(block for block in blocks if block.strip())


def _xlsx(original: bytes) -> str:
    from openpyxl import load_workbook

    workbook = load_workbook(_unpackable(original), read_only=True, data_only=True)
    parts: list[str] = []
    for sheet in workbook.worksheets:
        rows = [[_cell(value) for value in row] for row in sheet.iter_rows(values_only=True)]
        filled = [row for row in rows if any(row)]
        if filled:
            parts.append(f"# {sheet.title}\n\n{_table(filled)}")
    return "\n\n".join(parts)


def _pptx(original: bytes) -> str:
    from pptx import Presentation

    slides = Presentation(_unpackable(original)).slides
    parts = [list(_slide(number, slide)) for number, slide in enumerate(slides, start=1)]
    return "\n\n".join(block for part in parts for block in part if block.strip())


def _slide(number: int, slide: object) -> Iterator[str]:
    shapes = slide.shapes  # pyright: ignore[reportAttributeAccessIssue] # typed by nobody
    title = shapes.title
    yield f"# {title.text_frame.text if title is not None else f'Slide {number}'}"
    for shape in shapes:
        if shape.has_text_frame and shape != title:
            yield shape.text_frame.text
        elif shape.has_table:
            yield _table([[cell.text for cell in row.cells] for row in shape.table.rows])
    if slide.has_notes_slide:  # pyright: ignore[reportAttributeAccessIssue] # typed by nobody
        yield slide.notes_slide.notes_text_frame.text  # pyright: ignore[reportAttributeAccessIssue] # typed by nobody


def _unpackable(original: bytes) -> io.BytesIO:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(original)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _MAX_UNPACKED:
            raise ValueError("it unpacks to more than it may")
    return io.BytesIO(original)


def _heading(style: str, text: str) -> str:
    kind, _, level = style.partition(" ")
    if kind == "Heading" and level.isdecimal():
        return f"{'#' * min(int(level), 6)} {text}"
    return f"# {text}" if kind == "Title" else text


def _table(rows: list[list[str]]) -> str:
    width = max(len(row) for row in rows)
    lines = [_row(row + [""] * (width - len(row))) for row in rows]
    return "\n".join([lines[0], _row(["---"] * width), *lines[1:]])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(' '.join(cell.replace('|', '/').split()) for cell in cells)} |"


def _cell(value: object) -> str:
    return "" if value is None else str(value)


_EXTRACTORS: dict[str, Callable[[bytes], str]] = {
    "application/pdf": _pdf,
    "text/html": _html,
    "application/xhtml+xml": _html,
    f"{_OFFICE}.wordprocessingml.document": _docx,
    f"{_OFFICE}.spreadsheetml.sheet": _xlsx,
    f"{_OFFICE}.presentationml.presentation": _pptx,
}


if __name__ == "__main__":
    main()
