"""Install what the clients are made of, into folders that git ignores."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from opensqt.model.errors import ConfigError
from tests.clients.catalogue import NODE

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


def _run(*command: str | Path, folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=_WITHIN_S, check=False
    )
    if done.returncode:
        raise ConfigError(f"{' '.join(map(str, command))} failed in {folder}: {done.stdout.strip()[-1500:]}")
