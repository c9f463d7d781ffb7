"""Shows that the trials notice a missing fence: on a copy of the tree without one.

A fence is a predicate in a statement or script whose line ends with the comment
`fence`. The copy runs with the same environment, its own folders first on the path.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "__pycache__", ".turnpike", ".*_cache"
)
RED_WITHIN_SECONDS = 60
# An owner that others declared dead, and that goes on, writes with a stale fence.
COMMAND = ["-m", "tests.faults", "--only", "cut owner off", "--trials", "3", "--fail-fast"]


def goes_red_without_a_fence() -> bool:
    """Copies the tree, removes its fences, and tells whether the trials then fail in time."""
    with tempfile.TemporaryDirectory(prefix="turnpike-mutant-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        removed = remove_fences(copy)
        print(f"removed {len(removed)} fences:", *removed, sep="\n  ", flush=True)
        return is_red(copy)


def remove_fences(tree: Path) -> list[str]:
    """Takes the fences out of the runtime's statements and scripts; returns where."""
    removed: list[str] = []
    for path in sorted((tree / "services/agent-runtime").rglob("*")):
        if path.suffix in (".sql", ".lua"):
            text = path.read_text()
            mutant = without_fences(text, path.suffix)
            if mutant != text:
                path.write_text(mutant)
                removed.append(str(path.relative_to(tree)))
    return removed


def without_fences(text: str, suffix: str) -> str:
    """Returns a statement or script with its marked predicates always true."""
    if suffix == ".lua":
        return re.sub(r"^if .* then -- fence$", "if false then", text, flags=re.MULTILINE)
    return re.sub(r"^( *)AND .*?(;?) -- fence$", r"\1AND true\2", text, flags=re.MULTILINE)


def is_red(copy: Path) -> bool:
    """Runs trials on the copy; tells whether they fail in time."""
    members = [*(copy / "libs").glob("*/src"), *(copy / "services").glob("*/src")]
    path = os.pathsep.join(map(str, [copy, *members]))
    process = subprocess.run(
        [sys.executable, *COMMAND],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": path},
        timeout=RED_WITHIN_SECONDS * 4,
        check=False,
    )
    print("red, as it should be" if process.returncode else "green: nobody noticed", flush=True)
    return process.returncode != 0
