"""An image without a Docker engine: a folder with what its Dockerfile copies and runs.

A virtual environment stands in place of the image's Python. `pip` there is uv,
which installs the same lock from what `make install` has fetched already, and
asks the registry only for what is missing.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What .dockerignore lets into the build.
CONTEXT = ("libs/", "services/")

# What is built from a folder is built anew: uv would take a wheel of its cache
# as long as the folder's pyproject.toml is the same.
_PIP = """#!/bin/sh
shift # install
case " $* " in *" --no-build-isolation "*) set -- --no-cache "$@" ;; esac
for network in --offline ""; do
  "{uv}" pip install --quiet $network --python "{python}" "$@" && exit
done 2>"{log}"
cat "{log}" >&2
exit 1
"""


@dataclass
class Image:
    """A built image; `root` is its `/`."""

    root: Path
    workdir: str = "/"
    user: str = ""
    environment: dict[str, str] = field(default_factory=dict[str, str])
    command: list[str] = field(default_factory=list[str])
    base: str = ""

    @property
    def folder(self) -> Path:
        return self.path(self.workdir)

    def path(self, inside: str) -> Path:
        return self.root / (Path("/") / self.workdir / inside).relative_to("/")

    def environ(self) -> dict[str, str]:
        """Returns the environment that a process of the image begins with."""
        return {"PATH": f"{self.root}/venv/bin:/usr/bin:/bin", **self.environment}


def build(service: str, root: Path) -> Image:
    """Builds the image of a service into the folder `root`."""
    image = Image(root)
    _install_python(root)
    text = (ROOT / "services" / service / "Dockerfile").read_text()
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    for line in filter(None, lines):
        instruction, _, rest = line.partition(" ")
        _INSTRUCTIONS[instruction](image, rest.strip())
    _share_bytecode(root / "venv")
    return image


def _install_python(root: Path) -> None:
    venv, uv = root / "venv", shutil.which("uv", path=str(Path(sys.executable).parent))
    subprocess.run([str(uv), "venv", "--quiet", "--python", sys.executable, str(venv)], check=True)
    pip = venv / "bin" / "pip"
    pip.write_text(_PIP.format(uv=uv, python=venv / "bin" / "python", log=root / "pip.log"))
    pip.chmod(0o755)


def _share_bytecode(venv: Path) -> None:
    """Gives an image what Python has compiled already of the same packages.

    Python takes none of it that belongs to another source, and without its source nothing.
    """
    for folder, _, files in os.walk(venv / "lib"):
        ours = Path(sys.prefix, Path(folder).relative_to(venv), "__pycache__")
        if any(name.endswith(".py") for name in files) and ours.is_dir():
            shutil.copytree(
                ours,
                Path(folder, "__pycache__"),
                # Whatever else runs compiles meanwhile, under other names until it is done.
                ignore=shutil.ignore_patterns("*.pyc.*"),
                copy_function=_link,
                dirs_exist_ok=True,
            )


def _link(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _from(image: Image, rest: str) -> None:
    image.base = rest


def _workdir(image: Image, rest: str) -> None:
    image.workdir = str(Path("/") / image.workdir / rest)
    image.folder.mkdir(parents=True, exist_ok=True)


def _env(image: Image, rest: str) -> None:
    image.environment.update(re.findall(r"([^=]+)=(.*)", "\n".join(shlex.split(rest))))


def _copy(image: Image, rest: str) -> None:
    *sources, target = rest.split()
    for source in sources:
        assert source.startswith(CONTEXT), f"{source} is not in the build's context"
        origin, destination = ROOT / source, image.path(target)
        if origin.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "node_modules")
            shutil.copytree(origin, destination, ignore=ignored)
        else:
            folder = destination if target.endswith("/") else destination.parent
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, folder / origin.name if target.endswith("/") else destination)


def _run(image: Image, rest: str) -> None:
    # Beside the image's own environment, only what finds uv's cache and a mirror.
    outside = {name: os.environ[name] for name in os.environ if name.startswith(_MIRROR)}
    environment = {**outside, **image.environ(), "HOME": os.environ.get("HOME", "/tmp")}
    subprocess.run(
        ["/bin/sh", "-ec", rest],
        cwd=image.folder,
        env=environment,
        check=True,
        stdin=subprocess.DEVNULL,
    )


_MIRROR = ("UV_", "SSL_", "XDG_CACHE_HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "https_proxy")


def _user(image: Image, rest: str) -> None:
    image.user = rest


def _command(image: Image, rest: str) -> None:
    image.command = json.loads(rest)


_INSTRUCTIONS = {
    "FROM": _from,
    "WORKDIR": _workdir,
    "ENV": _env,
    "COPY": _copy,
    "RUN": _run,
    "USER": _user,
    "CMD": _command,
}
