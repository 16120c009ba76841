"""A PostgreSQL of its own for one test run, on a free port of this machine, gone afterwards."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_ports

PROGRAMS = ("initdb", "pg_ctl")


def missing() -> str:
    """Say why there can be no PostgreSQL here; empty when there can."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"PostgreSQL is not installed: no {' and no '.join(absent)} on PATH"
    if os.geteuid() == 0 and (shutil.which("runuser") is None or _user() is None):
        return "PostgreSQL does not run as root, and there is no user postgres or nobody to run it"
    return ""


@dataclass
class Cluster:
    """A PostgreSQL that can be stopped and started again: the same data at the same address."""

    folder: Path
    port: int
    user: pwd.struct_passwd | None

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Cluster]:
        """Run a fresh cluster; it is gone after the block."""
        folder = Path(tempfile.mkdtemp(prefix="opensqt-pg-"))
        user = _user() if os.geteuid() == 0 else None
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        try:
            _run(user, "initdb", "-D", f"{folder}/data", "-U", "opensqt", "--auth=trust", "--no-sync")
            made = cls(folder, free_ports(), user)
            made.start()
            try:
                yield made
            finally:
                if (folder / "data" / "postmaster.pid").exists():
                    made.stop()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"postgresql://opensqt@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        _run(self.user, "pg_ctl", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log", "-w", "-o", options, "start")

    def save_copy(self) -> None:
        """Keep the data as it is now; the server is stopped."""
        _run(self.user, "cp", "-a", f"{self.folder}/data", f"{self.folder}/copy")

    def fall_back(self) -> None:
        """Go back to the copy, as to a standby server that has not received the last commits; the server is stopped."""
        _run(self.user, "rm", "-rf", f"{self.folder}/data")
        _run(self.user, "mv", f"{self.folder}/copy", f"{self.folder}/data")

    def stop(self) -> None:
        """Stop it at once, as a crash does: connections are cut, what was committed stays."""
        _run(self.user, "pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")


@contextmanager
def postgres() -> Iterator[str]:
    """Run a fresh cluster and answer its URL."""
    with Cluster.running() as cluster:
        yield cluster.url


def _run(user: pwd.struct_passwd | None, *command: str) -> None:
    """Run as a plain user; nothing of ours is handed to a server that lives on."""
    prefix = ("runuser", "-u", user.pw_name, "--") if user is not None else ()
    done = subprocess.run([*prefix, *command], cwd="/", stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{command[0]} ended with {done.returncode} (as {user.pw_name if user else getpass.getuser()})"
        )


def _user() -> pwd.struct_passwd | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None
