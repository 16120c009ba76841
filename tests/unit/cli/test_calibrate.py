"""`opensqt calibrate` takes recorded trades of any format, whatever the unit of their times."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.cli.__main__ import main
from tests.unit.recordings import made

FILES = made.trade_files(made.trades(600))


@pytest.mark.parametrize("name", ["binance-spot-aggTrades-2025.csv", "bybit-linear.csv.gz", "hftbacktest.npz"])
def test_trades_of_every_format_give_the_same_parameters(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file in microseconds is not taken as one in milliseconds."""
    assert (
        main(["calibrate", "--trades", str(made.write(tmp_path, "ms.csv", FILES["binance-futures-trades.csv"]))]) == 0
    )
    expected = capsys.readouterr().out
    assert Decimal(expected.partition("volatility: ")[2].split()[0]) > 0
    assert main(["calibrate", "--trades", str(made.write(tmp_path, name, FILES[name]))]) == 0
    assert capsys.readouterr().out == expected


def test_bars_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They have no trades to count."""
    name = "XRP_USDT-1m.json"
    path = made.write(tmp_path, name, made.bar_files(made.bars())[name])
    assert main(["calibrate", "--trades", str(path)]) == 2
    assert f"--trades: {path}: expected recorded trades, found bars" in capsys.readouterr().err


def test_the_parameters_as_json_are_those_of_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["calibrate", "--trades", str(made.write(tmp_path, "ms.csv", FILES["binance-futures-trades.csv"]))]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert f"volatility: {found['glft']['volatility']} " in text
    assert f"# quotes {found['half_spread']} on each side" in text
    assert f"# from {found['windows']} windows" in text
