"""Regenerates libs/api/src from protos/. Run as `make gen`.

With `--check` it changes nothing, and fails if there was anything to change.
"""

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent
PROTOS = HERE.parents[1] / "protos"
SOURCES = HERE / "src"


def generate(out: Path) -> None:
    """Writes the whole of what belongs in libs/api/src to `out`."""
    protos = sorted(str(path) for path in PROTOS.rglob("*.proto"))
    services = [path for path in protos if path.endswith("_service.proto")]
    _protoc(f"--python_out={out}", f"--pyi_out={out}", *protos)
    if services:
        _protoc(f"--grpc_python_out={out}", f"--mypy_grpc_out=quiet,only_async:{out}", *services)
    _make_packages(out)


def stale(out: Path) -> list[str]:
    """Returns the files of libs/api/src that differ from those in `out`."""
    fresh, present = _contents(out), _contents(SOURCES)
    return sorted(name for name in fresh | present if fresh.get(name) != present.get(name))


def _protoc(*args: str) -> None:
    well_known = files("grpc_tools") / "_proto"
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={PROTOS}",
            f"--proto_path={well_known}",
            f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).parent / 'protoc-gen-mypy_grpc'}",
            *args,
        ]
    )
    if status != 0:
        raise SystemExit("protoc failed; libs/api is unchanged")


def _make_packages(out: Path) -> None:
    """Makes a typed package of everything below the namespaces `turnpike` and `buf`."""
    roots = [out / "turnpike" / "api", out / "buf" / "validate"]
    for root in roots:
        root.mkdir(parents=True, exist_ok=True)
        for package in [root, *(path for path in root.rglob("*") if path.is_dir())]:
            (package / "__init__.py").write_text('"""Generated from protos/; do not edit."""\n')
        (root / "py.typed").touch()


def _contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def _replace(out: Path, names: list[str]) -> None:
    """Writes only what changed, so that a program that runs meanwhile finds its modules."""
    for name in names:
        new, old = out / name, SOURCES / name
        if new.exists():
            old.parent.mkdir(parents=True, exist_ok=True)
            old.write_bytes(new.read_bytes())
        else:
            old.unlink()


def main() -> None:
    """Regenerates, or checks, libs/api/src."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory)
        generate(out)
        names = stale(out)
        if "--check" not in sys.argv[1:]:
            _replace(out, names)
        elif names:
            raise SystemExit("\n".join(["stale; run `make gen`:", *names]))


if __name__ == "__main__":
    main()
