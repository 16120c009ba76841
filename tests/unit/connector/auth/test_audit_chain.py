"""The chain of the audit: what was changed, removed, added or moved is found; what a restart explains is no fault."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from opensqt.cli.__main__ import main
from opensqt.connector.auth.audit import Audit
from opensqt.connector.auth.audit_chain import GENESIS, chain_of, encode
from opensqt.connector.auth.audit_file import AuditFile
from opensqt.telemetry.logging import redact_value
from tests.support import eventually

Lines = list[bytes]


async def written(path: Path, *orders: str) -> Lines:
    """Write one line for each order, as a connector does from its start to its stop; return the file's lines."""
    file = AuditFile(path)
    file.open()
    for order in orders:
        file.write({"event": "call", "client_order_id": order})
    await file.close()
    return lines_of(path)


def lines_of(path: Path) -> Lines:
    return path.read_bytes().splitlines()


def verify(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["audit", "verify", *map(str, arguments)])
    return code, capsys.readouterr().out


async def test_an_untouched_file_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = await written(tmp_path / "audit.jsonl", "a", "b", "c")
    code, text = verify(capsys, tmp_path / "audit.jsonl")
    assert (code, text) == (0, f"3 lines, 0 faults, last hash {chain_of(lines[-1])}\n")


TAMPERED: dict[str, Callable[[Lines], Lines]] = {
    "one byte changed": lambda lines: [lines[0], lines[1].replace(b'"b"', b'"x"'), *lines[2:]],
    "the first line changed": lambda lines: [lines[0].replace(b'"a"', b'"x"'), *lines[1:]],
    "removed": lambda lines: [lines[0], *lines[2:]],
    "moved": lambda lines: [lines[0], lines[2], lines[1], lines[3]],
    "repeated": lambda lines: [lines[0], lines[0], *lines[1:]],
    "added": lambda lines: [lines[0], b'{"event":"call"}', *lines[1:]],
    "added with a hash of its own": lambda lines: [*lines[:2], encode({"event": "call"}, GENESIS)[0][:-1], *lines[2:]],
    "its hash taken away": lambda lines: [lines[0], re.sub(rb',"chain":"\w+"', b"", lines[1]), *lines[2:]],
}


@pytest.mark.parametrize("how", TAMPERED)
async def test_a_line_that_was_tampered_with_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    path = tmp_path / "audit.jsonl"
    lines = await written(path, "a", "b", "c", "d")
    path.write_bytes(b"\n".join(TAMPERED[how](lines)) + b"\n")
    code, text = verify(capsys, path)
    assert code == 1
    assert "broken: audit.jsonl:" in text


async def test_lines_cut_off_at_the_end_are_found_by_a_hash_that_the_log_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "audit.jsonl"
    lines = await written(path, "a", "b", "c")
    path.write_bytes(b"\n".join(lines[:2]) + b"\n")
    kept, lost = chain_of(lines[1]), chain_of(lines[2])
    assert verify(capsys, path, "--expect", kept)[0] == 0
    code, text = verify(capsys, path, "--expect", kept, "--expect", lost)
    assert code == 1
    assert f"broken: no line carries {lost}" in text


async def test_the_chain_goes_on_after_a_restart_and_in_the_file_after_one_that_was_moved_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, moved, packed = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.1", tmp_path / "audit.jsonl.2.gz"
    await written(path, "a", "b")
    file = AuditFile(path)
    file.open()
    file.write({"event": "call", "client_order_id": "c"})
    await eventually(lambda: len(path.read_bytes().splitlines()) == 3)
    path.rename(moved)
    file.write({"event": "call", "client_order_id": "d"})
    await file.close()
    assert len(path.read_bytes().splitlines()) == 1
    assert verify(capsys, moved, path)[0] == 0
    packed.write_bytes(gzip.compress(moved.read_bytes()))
    assert verify(capsys, packed, path)[0] == 0
    code, text = verify(capsys, path)
    assert code == 1
    assert "audit.jsonl:1: begins no chain: it was changed, or the file before it is missing" in text
    before = chain_of(moved.read_bytes().splitlines()[-1])
    assert verify(capsys, path, "--after", before)[0] == 0


async def test_a_line_torn_by_a_kill_is_no_fault_and_the_next_one_is_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """F30: the connector was killed while it wrote."""
    path = tmp_path / "audit.jsonl"
    lines = await written(path, "a", "b")
    path.write_bytes(lines[0] + b"\n" + lines[1][:30])
    await written(path, "c")
    code, text = verify(capsys, path)
    assert code == 0
    assert "note: audit.jsonl:2: incomplete" in text
    assert orjson.loads(path.read_bytes().splitlines()[-1])["client_order_id"] == "c"


async def test_lines_of_an_earlier_version_are_noted_and_the_chain_begins_after_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"event":"call"}\n{"event":"call"}\n')
    await written(path, "a")
    code, text = verify(capsys, path)
    assert code == 0
    assert "note: audit.jsonl: 2 lines are older than the chain" in text


async def test_the_log_carries_the_hash_of_each_line(tmp_path: Path) -> None:
    """A log that is sent elsewhere is what the file can be held against."""
    file = AuditFile(tmp_path / "audit.jsonl")
    file.open()
    with capture_logs() as logs:
        Audit(file).call({"client": "maker", "method": "PlaceOrder"})
    await file.close()
    (line,) = file.path.read_bytes().splitlines()
    (logged,) = logs
    assert logged["chain"] == chain_of(line)
    assert redact_value(logged["chain"]) == chain_of(line)


def test_a_file_that_is_not_there_is_an_error_that_names_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["audit", "verify", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl: can't be read: No such file or directory" in capsys.readouterr().err
