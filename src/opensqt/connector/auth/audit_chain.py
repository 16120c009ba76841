"""The chain of the audit's lines: each carries the hash of itself and of all lines before it.

So a line that is changed, removed, inserted or moved breaks the chain at that place. It is no signature: who may write
the file can compute a whole new chain. The log carries the hash of each line too, and what the log said once can be
looked for in the file (`opensqt audit verify --expect`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

GENESIS = "0" * 64
"""What the first line of a chain follows."""
_NAME = b',"chain":"'
_TAIL = len(_NAME) + 64 + len(b'"}')


def encode(facts: Mapping[str, Any], previous: str) -> tuple[bytes, str]:
    """Return a line of JSON with its newline, whose last field is `chain`, and that hash.

    Args:
        facts: At least one fact; none is called `chain`.
        previous: Hash of the line before, `GENESIS` for the first.
    """
    body = orjson.dumps(facts, default=str)
    chain = _hash(previous, body)
    return b'%b%b%b"}\n' % (body[:-1], _NAME, chain.encode()), chain


def chain_of(line: bytes) -> str:
    """Return the hash that a line carries; empty for a line that carries none, or that is not complete."""
    tail = line[-_TAIL:]
    if not (line.startswith(b"{") and tail.startswith(_NAME) and tail.endswith(b'"}')):
        return ""
    return tail[len(_NAME) : -2].decode("ascii", "replace")


@dataclass(slots=True)
class Verification:
    """Checks the chain of the files that are added in their order, oldest first, and keeps what it found."""

    head: str = GENESIS
    """Hash of the last line. At first that of the line before the first file, `GENESIS` if there was none."""
    expected: frozenset[str] = frozenset()
    """Hashes that some line has to carry."""
    lines: int = 0
    """Lines that were read."""
    faults: list[str] = field(default_factory=list)
    """Where the chain is broken."""
    notes: list[str] = field(default_factory=list)
    """What could not be checked, and what a restart or a kill explains."""
    found: set[str] = field(default_factory=set)
    """The expected hashes that were met."""

    def add(self, name: str, lines: Iterable[bytes]) -> None:
        """Check the lines of one file, without their newlines.

        Args:
            name: What the findings call the file.
            lines: Its lines.
        """
        number = before = 0
        for number, line in enumerate(lines, start=1):
            self.lines += 1
            chain = chain_of(line)
            if chain:
                self._follow(f"{name}:{number}", line, chain, first=number == 1)
            elif not _is_object(line):
                self.notes.append(f"{name}:{number}: incomplete; the connector was killed while it wrote this line")
            elif self.head != GENESIS:
                self.faults.append(f"{name}:{number}: carries no hash; it was added, or its hash was taken away")
            else:
                before += 1
        if before:
            self.notes.append(f"{name}: {before} lines are older than the chain and can't be checked")

    def missing(self) -> list[str]:
        """Return the expected hashes that no line carries."""
        return sorted(self.expected - self.found)

    def _follow(self, where: str, line: bytes, chain: str, *, first: bool) -> None:
        body = line[:-_TAIL] + b"}"
        previous, self.head = self.head, chain
        if chain in self.expected:
            self.found.add(chain)
        if chain == _hash(previous, body):
            return
        if first and chain == _hash(GENESIS, body):
            self.notes.append(f"{where}: a new chain begins; the connector was started while no earlier file was there")
        elif previous == GENESIS:
            self.faults.append(f"{where}: begins no chain: it was changed, or the file before it is missing")
        else:
            self.faults.append(f"{where}: does not follow the line before it: it was changed, or lines are missing")


def _hash(previous: str, body: bytes) -> str:
    return hashlib.sha256(previous.encode() + body).hexdigest()


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False
