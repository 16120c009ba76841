"""Install what the clients are made of, into folders that git ignores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from opensqt.model.errors import ConfigError
from tests.clients.catalogue import NODE, PYTHON, Client

_WITHIN_S = 600
_QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--silent")


def install_node() -> None:
    """Install the npm packages that package-lock.json pins, unless they are there.

    Raises:
        ConfigError: Node is not installed, or the packages can't be fetched.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise ConfigError(f"{program} is not installed: the npm clients need Node 20 or later")
    lock = NODE / "package-lock.json"
    installed = NODE / "node_modules" / ".installed"
    if installed.is_file() and installed.read_bytes() == lock.read_bytes():
        return
    _run("npm", "ci", *_QUIET, folder=NODE)
    installed.write_bytes(lock.read_bytes())


def install_python(client: Client) -> Path | None:
    """Return the interpreter of a client in Python, with its package; None when no version that it needs is found.

    Raises:
        ConfigError: The package can't be fetched.
    """
    base = next(filter(None, map(_find, client.interpreters)), None)
    if base is None:
        return None
    folder = Path(sys.prefix) / "clients" / client.package
    python, installed = folder / "bin" / "python", folder / ".installed"
    if not installed.is_file():
        _run(base, "-m", "venv", "--clear", folder, folder=PYTHON)
        _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", client.package, folder=PYTHON)
        installed.touch()
    return python


def _find(version: str) -> Path | None:
    """Find an interpreter: this one, one on the path, or one of pyenv."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = [shutil.which(f"python{version}"), *sorted(root.glob(f"{version}.*/bin/python"), reverse=True)]
    for found in filter(None, named):
        # What pyenv puts on the path may be of a version that is not chosen there.
        if subprocess.run([found, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return Path(found)
    return None


def _run(*command: str | Path, folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_WITHIN_S, check=False
    )
    if done.returncode:
        raise ConfigError(f"{' '.join(map(str, command))} failed in {folder}: {done.stdout.strip()[-1500:]}")
