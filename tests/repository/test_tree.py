"""What holds for every file of the repository."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP = {"protos", "services", "libs", "helm", "tests", "docs", ".ci"}

REGISTRIES = re.compile(
    rb"pythonhosted\.|(pypi|npmjs|yarnpkg)\.(org|com)|proxy\.golang\.|registry\.npm", re.IGNORECASE
)


def files() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_file_names_a_package_registry():
    """Whoever installs from a mirror finds nothing here that goes around it."""
    named = {path for path in files() if REGISTRIES.search(path.read_bytes())}

    assert named - {Path(__file__)} == set()


def test_the_namespace_package_stays_one():
    """An __init__.py in any src/turnpike/ would hide every other member."""
    assert [path for path in files() if path.match("src/turnpike/__init__.py")] == []


def test_every_module_is_typed():
    packages = [path for path in ROOT.glob("[ls]*/*/src/turnpike/*") if path.suffix != ".pyc"]

    assert [path for path in packages if not (path / "py.typed").exists()] == []


def test_there_are_no_other_folders_at_the_top():
    assert {path.relative_to(ROOT).parts[0] for path in files() if path.parent != ROOT} <= TOP
