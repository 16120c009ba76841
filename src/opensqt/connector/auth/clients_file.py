"""Changes to the clients file that leave what people wrote in it alone, and never leave half a file."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from opensqt.connector.auth.clients import read_entries
from opensqt.model.errors import ConfigError

_HEAD = """\
# Who may call this connector, and what each may do (docs/security.md). It holds hashes only, never a token.
# `opensqt token new`, `list` and `revoke` keep it; the connector takes up a change within two seconds.
clients:
"""


def add(path: Path, fields: Mapping[str, object]) -> None:
    """Append one client; the file is made if it is not there.

    Raises:
        ConfigError: The name is taken, a field is wrong, or the file can't be read or written.
    """
    path = path.resolve()
    with _locked(path):
        text = _HEAD
        if path.exists():
            if any(entry.name == fields["name"] for entry in read_entries(path)):
                raise ConfigError(f"{path}: client {fields['name']!r} is there already; revoke it first")
            text = path.read_text(encoding="utf-8")
        items = _items(path, text)
        if not items.lines:
            # `clients: []`: the list of blocks begins here.
            kept = [line for line in text.splitlines() if not line.startswith("clients:")]
            text = "\n".join([*kept, "clients:"])
        lines = [f"{key}: {_scalar(value)}" for key, value in fields.items()]
        dash, below = " " * items.indent + "- ", " " * items.indent + "  "
        text += "" if text.endswith("\n") else "\n"
        _replace(path, text + dash + f"\n{below}".join(lines) + "\n")


def remove(path: Path, name: str) -> None:
    """Take one client out.

    Raises:
        ConfigError: There is none of that name, or the file can't be read or written.
    """
    path = path.resolve()
    with _locked(path):
        entries = read_entries(path)
        place = next((place for place, entry in enumerate(entries) if entry.name == name), None)
        if place is None:
            known = ", ".join(entry.name for entry in entries) or "none"
            raise ConfigError(f"{path}: no client {name!r}; those it has: {known}")
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True)
        items = _items(path, text)
        start = items.lines[place]
        end = items.lines[place + 1] if place + 1 < len(items.lines) else items.end
        # A comment above the next client belongs to that one.
        while end - 1 > start and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
            end -= 1
        kept = lines[:start] + lines[end:]
        if len(entries) == 1:
            kept = ["clients: []\n" if line.startswith("clients:") else line for line in kept]
        _replace(path, "".join(kept))


class _Items:
    """Where the clients stand in the text: the first line of each, the line after the last, and how far they are in."""

    def __init__(self, lines: list[int], end: int, indent: int) -> None:
        self.lines = lines
        self.end = end
        self.indent = indent


def _items(path: Path, text: str) -> _Items:
    root = yaml.compose(text, yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    found = next((value for key, value in pairs if key.value == "clients"), None)
    if not isinstance(found, yaml.SequenceNode) or not found.value:
        return _Items([], 0, 2)
    if found.flow_style:
        raise ConfigError(f"{path}: clients: expected one block of lines for each client; change this file by hand")
    return _Items([item.start_mark.line for item in found.value], found.end_mark.line, found.start_mark.column)


def _scalar(value: object) -> str:
    # JSON is YAML, and quotes what YAML would take for something else.
    return json.dumps(value if isinstance(value, list | int) else str(value))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep two commands from losing each other's change. The folder is locked, for the file itself is replaced."""
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(f"{path.parent}: {error.strerror}; make the folder, or give another with --clients") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(path: Path, text: str) -> None:
    """Put *text* in the file's place in one step, after proving that it can be read as a clients file."""
    try:
        before = path.stat()
    except FileNotFoundError:
        before = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        new = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                if before is not None:
                    # Whoever reads it now must be able to read it afterwards.
                    os.fchmod(file.fileno(), before.st_mode & 0o777)
                    _give_to(file.fileno(), before.st_uid, before.st_gid)
            _prove(new, path)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ConfigError(f"{path}: can't be written: {error.strerror}") from None


def _prove(new: Path, path: Path) -> None:
    try:
        read_entries(new)
    except ConfigError as error:
        raise ConfigError(str(error).replace(str(new), str(path))) from None


def _give_to(file: int, user: int, group: int) -> None:
    if os.geteuid() == 0:
        os.fchown(file, user, group)
