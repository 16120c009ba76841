"""`opensqt token`: tokens are printed once, and the file keeps what people wrote in it."""

from __future__ import annotations

import hashlib
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.cli.__main__ import main
from opensqt.connector.auth import clients_file
from opensqt.connector.auth.clients import read_entries
from opensqt.model.errors import ConfigError

HAND_WRITTEN = """\
# ours
clients:
- name: page   # the page on the wall
  role: read
  token_sha256: "{0}"

# trades at night
- name: maker
  role: trade
  certificate: maker-host
  symbols: [BTCUSDT]
# the end
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "clients.yaml"


def token(file: Path, *arguments: str) -> int:
    return main(["token", *arguments, "--clients", str(file)])


def hand_written(file: Path) -> str:
    text = HAND_WRITTEN.format("a" * 64)
    file.write_text(text)
    return text


def test_a_new_token_is_printed_and_only_its_hash_is_kept(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F33: no secret shows in a log, an error or a page."""
    assert token(file, "new", "--name", "page", "--role", "read") == 0
    said = capsys.readouterr()
    made = said.out.strip()
    (entry,) = read_entries(file)
    assert (entry.name, entry.role) == ("page", "read")
    assert entry.token_sha256 == hashlib.sha256(made.encode()).hexdigest()
    assert made.startswith("sqt_")
    assert len(made) >= 47
    assert made[4:12] not in said.err + file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_limits_and_expiry_are_kept(file: Path) -> None:
    limits = ["--symbols", "BTCUSDT,ETHUSDT", "--max-order-notional", "5000.50", "--max-open-orders", "50"]
    limits += ["--max-orders-per-second", "0.5", "--days", "90", "--certificate", "maker-host"]
    assert token(file, "new", "--name", "maker", "--role", "trade", *limits) == 0
    (entry,) = read_entries(file)
    assert (entry.symbols, entry.certificate) == (("BTCUSDT", "ETHUSDT"), "maker-host")
    assert (entry.max_order_notional, entry.max_open_orders) == (Decimal("5000.50"), 50)
    assert entry.max_orders_per_second == 0.5
    assert entry.expires is not None
    assert timedelta(days=89) < entry.expires - datetime.now(UTC) <= timedelta(days=90)


def test_what_people_wrote_stays(file: Path) -> None:
    text = hand_written(file)
    assert token(file, "new", "--name", "true", "--role", "read") == 0
    assert file.read_text().startswith(text)
    assert [entry.name for entry in read_entries(file)] == ["page", "maker", "true"]


def test_revoking_takes_out_one_client_and_leaves_the_rest_as_it_was(file: Path) -> None:
    text = hand_written(file)
    page, rest = text.split("- name: page")[0], text[text.index("\n# trades at night") :]
    assert token(file, "revoke", "page") == 0
    assert file.read_text() == page + rest
    assert token(file, "revoke", "maker") == 0
    assert read_entries(file) == ()
    assert token(file, "new", "--name", "page", "--role", "read") == 0
    assert [entry.name for entry in read_entries(file)] == ["page"]
    assert file.read_text().startswith("# ours\n")


def test_the_file_stays_readable_for_who_reads_it_now(file: Path) -> None:
    hand_written(file)
    file.chmod(0o640)
    assert token(file, "revoke", "page") == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_two_commands_at_once_lose_nothing(file: Path) -> None:
    """F32: the state file is never torn, and lags behind nothing that was done."""

    def add(number: int) -> None:
        fields = {"name": f"client{number}", "role": "read", "certificate": f"host{number}"}
        clients_file.add(file, fields)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(24)))
    assert {entry.name for entry in read_entries(file)} == {f"client{number}" for number in range(24)}
    assert [path.name for path in file.parent.iterdir()] == ["clients.yaml"]


def test_listing_tells_who_may_what_and_no_hash(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F33: no secret shows in a log, an error or a page."""
    hand_written(file)
    assert token(file, "list") == 0
    said = capsys.readouterr().out
    assert "page" in said
    assert "maker" in said
    assert "certificate" in said
    assert "any" in said
    assert "aaaa" not in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("new", "--name", "page", "--role", "trade"), "client 'page' is there already; revoke it first"),
        (("revoke", "nobody"), "no client 'nobody'; those it has: page, maker"),
        (("new", "--name", "x", "--role", "read", "--symbols", "BTCUSDT"), "--role read: takes no limits"),
        (("new", "--name", "x", "--role", "trade", "--certificate", "maker-host"), "certificate 'maker-host' is given"),
    ],
)
def test_a_mistake_changes_nothing_and_prints_one_line(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    text = hand_written(file)
    assert token(file, *arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert file.read_text() == text
    assert [path.name for path in file.parent.iterdir()] == ["clients.yaml"]


def test_a_file_that_it_cannot_change_safely_is_left_to_people(file: Path) -> None:
    file.write_text("clients: [{name: page, role: read, certificate: x}]\n")
    with pytest.raises(ConfigError, match="change this file by hand"):
        clients_file.add(file, {"name": "b", "role": "read", "certificate": "y"})


def test_a_missing_folder_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert token(tmp_path / "none" / "clients.yaml", "new", "--name", "page", "--role", "read") == 2
    assert "make the folder, or give another with --clients" in capsys.readouterr().err
