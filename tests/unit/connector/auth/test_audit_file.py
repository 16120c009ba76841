"""The audit's file on a disk that takes nothing: memory is bounded, attempts go by the clock, losses are counted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from opensqt.cli.__main__ import main
from opensqt.connector.auth import audit_file
from opensqt.connector.auth.audit_chain import GENESIS, encode
from opensqt.connector.auth.audit_file import AuditFile
from tests.support import eventually

LONG = {"event": "call", "orders": ["x" * 64] * 400}


class Disk:
    """Stands in for os.write: full until it is not, and takes *room* bytes before it says so."""

    def __init__(self) -> None:
        self.full = True
        self.room = 0
        self.attempts = 0
        self._write: Callable[[int, Any], int] = os.write

    def write(self, file: int, data: bytes) -> int:
        self.attempts += 1
        if self.full and not self.room:
            raise OSError(28, "No space left on device")
        taken = min(self.room, len(data)) if self.full else len(data)
        self.room -= taken if self.full else 0
        return self._write(file, data[:taken])


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr("opensqt.connector.auth.audit_file.os.write", disk.write)
    monkeypatch.setattr(audit_file, "RETRY_S", 0.05)
    return disk


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines without their place in the chain."""
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return [{name: value for name, value in row.items() if name != "chain"} for row in rows]


async def test_what_waits_for_a_full_disk_is_bounded_by_bytes_and_the_rest_is_counted(
    tmp_path: Path, disk: Disk
) -> None:
    """F32: 3,200 calls of long batches kept 601 MB before."""
    file = AuditFile(tmp_path / "audit.jsonl")
    for _ in range(1_000):
        file.write(LONG)
    await eventually(file.checks)
    assert file.waiting_bytes <= 4 * 1024 * 1024
    assert file.dropped > 800
    (check,) = file.checks()
    assert check.ok
    assert f"{file.dropped} lines dropped" in check.reason
    disk.full = False
    await eventually(lambda: not file.waiting_bytes, what="the disk is written again")
    await file.close()
    written = lines(file.path)
    assert len(written) == 1_000 - file.dropped + 1
    assert (written[-1]["event"], written[-1]["lines"]) == ("dropped", file.dropped)


async def test_a_full_disk_is_tried_by_the_clock_and_not_with_each_line(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_file, "RETRY_S", 3_600)
    file = AuditFile(tmp_path / "audit.jsonl")
    for number in range(50):
        file.write({"number": number})
        await eventually(file.checks)
    assert disk.attempts == 1
    disk.full = False
    await file.close()
    assert [line["number"] for line in lines(file.path)] == list(range(50))


async def test_no_further_line_is_needed_for_another_attempt(tmp_path: Path, disk: Disk) -> None:
    file = AuditFile(tmp_path / "audit.jsonl")
    file.write({"number": 1})
    await eventually(file.checks)
    disk.full = False
    await eventually(lambda: not file.checks())
    assert lines(file.path) == [{"number": 1}]
    await file.close()


@pytest.mark.parametrize("append_only", [False, True])
async def test_a_disk_that_fills_up_in_the_middle_of_a_line_tears_none(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, append_only: bool
) -> None:
    """F32: the part is taken back; where the file may only grow, the line goes on where it ended."""

    def refuse(_file: int, _size: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    if append_only:
        monkeypatch.setattr("opensqt.connector.auth.audit_file.os.ftruncate", refuse)
    disk.room = 7
    file = AuditFile(tmp_path / "audit.jsonl")
    file.write({"number": 1})
    await eventually(file.checks)
    assert file.path.read_bytes() == (b'{"numbe' if append_only else b"")
    disk.full = False
    await eventually(lambda: not file.checks())
    assert lines(file.path) == [{"number": 1}]
    await file.close()


async def test_a_file_that_is_moved_away_when_the_disk_is_full_ends_with_a_whole_line(
    tmp_path: Path, disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    """F32: each line is in one of the files, and the chain goes on from one to the other."""
    file = AuditFile(tmp_path / "audit.jsonl")
    for number in range(3):
        file.write({"number": number})
    disk.room = len(encode({"number": 0}, GENESIS)[0]) + 20
    await eventually(file.checks)
    full = file.path.rename(tmp_path / "audit.jsonl.1")
    disk.full = False
    await eventually(lambda: not file.checks())
    await file.close()
    assert [line["number"] for line in lines(full) + lines(file.path)] == [0, 1, 2]
    assert main(["audit", "verify", str(full), str(file.path)]) == 0
    assert "0 faults" in capsys.readouterr().out


async def test_a_stop_does_not_wait_for_a_full_disk(tmp_path: Path, disk: Disk) -> None:
    """F30: it tries once more and ends."""
    file = AuditFile(tmp_path / "audit.jsonl")
    file.write({"number": 1})
    await eventually(file.checks)
    await file.close()
    assert disk.full
    assert file.path.read_bytes() == b""
