"""`opensqt export`: the history as a file, exact to the last digit."""

from __future__ import annotations

import asyncio
import csv
import json
import stat
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet
import pytest

from opensqt.cli.__main__ import main
from opensqt.market_maker.orders.events import FundingBatch, MinuteBegan
from opensqt.market_maker.store.history import HISTORIES
from opensqt.market_maker.store.store import Store
from opensqt.model.order import FillKind
from tests.unit.market_maker.orders.test_accounting import PAID, by_venue
from tests.unit.market_maker.venue import SYMBOL, Bench

ODD = Decimal("12345.1234567890123456789")
"""More digits than any float has."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings whose database has a day of every kind."""
    database = tmp_path / "grid.db"
    asyncio.run(fill_database(database))
    file = tmp_path / "config.yaml"
    file.write_text(f"app: {{database_url: 'sqlite:///{database}'}}\ntrading: {{symbol: {SYMBOL}}}\n")
    return file


async def fill_database(database: Path) -> None:
    bench = Bench().start(1004)
    bench.fill(0)
    bench.fill(-1)
    bench.tell(FundingBatch((PAID,), gap=False))
    for minute in range(3):
        bench.tell(MinuteBegan(minute * 60_000, ODD))
    bench.venue.fills.append(by_venue(FillKind.ADL, "0.010", "900"))
    bench.wait(61)
    store = await Store.open(f"sqlite:///{database}")
    for changes in bench.changes:
        await store.commit(SYMBOL, changes)
    await store.close()


def export(config: Path, *arguments: str) -> int:
    return main(["export", "--config", str(config), *arguments])


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as opened:
        return list(csv.DictReader(opened))


def test_fills_have_their_parts_of_the_profit_and_those_of_others_too(config: Path, tmp_path: Path) -> None:
    """Oldest first, decimals as plain digits, a UTC date beside each time, what is unknown left empty."""
    out = tmp_path / "fills.csv"
    assert export(config, "--what", "fills", "--out", str(out)) == 0
    found = rows(out)
    assert [row["trade_id"] for row in found] == ["1", "2", "900"]
    assert [row["kind"] for row in found] == ["TRADE", "TRADE", "ADL"]
    assert [row["level"] for row in found] == ["0", "-1", ""]
    assert (found[2]["price"], found[2]["time_utc"]) == ("900", "1970-01-01T00:00:00.900+00:00")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@pytest.mark.parametrize("what", HISTORIES)
def test_both_formats_have_the_same_rows(config: Path, tmp_path: Path, what: str) -> None:
    """Each history, with the exact numbers of the database."""
    text, table = tmp_path / "out.csv", tmp_path / "out.parquet"
    assert export(config, "--what", what, "--out", str(text)) == 0
    assert export(config, "--what", what, "--format", "parquet", "--out", str(table)) == 0
    of_csv, of_parquet = rows(text), pyarrow.parquet.read_table(table).to_pylist()
    assert len(of_csv) == len(of_parquet) > 0
    for one, other in zip(of_csv, of_parquet, strict=True):
        for name, value in other.items():
            if isinstance(value, Decimal):
                assert Decimal(one[name]) == value
            elif value is None:
                assert one[name] == ""


def test_parquet_keeps_more_digits_than_a_float_has(config: Path, tmp_path: Path) -> None:
    """decimal128, with as many digits after the point as the column needs."""
    out = tmp_path / "equity.parquet"
    assert export(config, "--what", "equity", "--format", "parquet", "--out", str(out)) == 0
    assert {row["account_equity"] for row in pyarrow.parquet.read_table(out).to_pylist()} == {ODD}


def test_a_range_has_its_start_and_not_its_end(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Times are UTC unless they name a zone."""
    out = tmp_path / "equity.csv"
    since, until = "1970-01-01T00:01", "1970-01-01T02:02+02:00"
    arguments = ("--what", "equity", "--since", since, "--until", until, "--json", "--out", str(out))
    assert export(config, *arguments) == 0
    assert [row["minute_ms"] for row in rows(out)] == ["60000"]
    assert json.loads(capsys.readouterr().out)["rows"] == 1


def test_parquet_without_its_library_says_what_to_install(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence, and no file."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert export(config, "--what", "fills", "--format", "parquet", "--out", str(tmp_path / "x.parquet")) == 2
    assert "pip install 'opensqt[export]', or use --format csv" in capsys.readouterr().err
    assert list(tmp_path.glob("x.parquet*")) == []


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty export of a mistyped path would look like a grid without fills."""
    file = tmp_path / "config.yaml"
    file.write_text(f"app: {{database_url: 'sqlite:///{tmp_path}/none.db'}}\n")
    assert export(file, "--what", "fills", "--out", str(tmp_path / "out.csv")) == 2
    assert "none.db is no database file" in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_cannot_be_written_is_said(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder is missing."""
    assert export(config, "--what", "fills", "--out", str(tmp_path / "none" / "out.csv")) == 2
    assert "can't be written: No such file or directory" in capsys.readouterr().err
