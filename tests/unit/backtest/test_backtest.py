"""A backtest runs the market maker's own engine on the matching engine, and says the same twice."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.backtest import venue
from opensqt.backtest.report import as_json
from opensqt.backtest.run import Backtest, Result, Trace
from opensqt.cli.__main__ import main
from opensqt.config.market_maker import GridTradingSettings, MarketMakerSettings
from opensqt.model.errors import ConfigError
from opensqt.model.order import Fill
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.order import SimFill
from opensqt.simulator.settings import SimulatorSettings
from tests.unit.recordings import made

START_MS = 1_700_000_000_000
MINUTE_MS = 60_000


def settings(**trading: str) -> MarketMakerSettings:
    given = {"symbol": "BTCUSDT", "price_interval": "20", "order_quantity": "100", **trading}
    return MarketMakerSettings(trading=GridTradingSettings.model_validate(given))


def generated(**market: object) -> SimulatorSettings:
    return SimulatorSettings.model_validate(
        {"start_ms": START_MS, "past_minutes": 60, "maker_fee": "0.00002", "move_interval_ms": 1_400, **market}
    )


def play(minutes: int = 20, seed: int = 7, **trading: str) -> Result:
    return Backtest(settings(**trading), generated(seed=seed)).run(START_MS + minutes * MINUTE_MS)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Return 200 bars that swing between 40,000 and 40,400."""
    path = tmp_path / "bars.csv.gz"
    rows = ["timestamp,open,high,low,close,volume"]
    for number in range(200):
        low, high = 40_000 + number % 7 * 20, 40_200 + number % 5 * 50
        stamp = f"2022-01-01 {number // 60:02}:{number % 60:02}:00"
        rows.append(f"{stamp},{low + 50},{high},{low},{high - 50},1000000")
    path.write_bytes(gzip.compress("\n".join(rows).encode()))
    return path


def test_the_grids_sums_are_the_ledgers() -> None:
    """F36: position, fills, fees and profit of the grid are those of the venue, and they sum to the equity's change."""
    result = play()
    assert result.differences == []
    assert result.fills > 10
    assert result.round_trips > 0
    assert result.profit == result.realized + result.unrealized - result.fees + result.funding


def test_the_same_seed_gives_the_same_result() -> None:
    """Nothing but data, settings and seed decides a result; another seed gives another."""
    assert as_json([play()]) == as_json([play()])
    assert as_json([play()]) != as_json([play(seed=8)])


def test_a_recording_is_played_to_its_end(recording: Path) -> None:
    """Without a limit the recording ends the run, and its prices decide it."""
    result = Backtest(settings(), SimulatorSettings(replay=recording, maker_fee=Decimal("0.00002"))).run()
    assert (result.differences, result.liquidations) == ([], 0)
    assert result.round_trips > 10
    assert result.end_ms - result.start_ms > 90 * MINUTE_MS


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: fills whose fees are not the ledger's are described."""
    true_fill = venue.model_fill

    def dearer(fill: SimFill) -> Fill:
        return replace(true_fill(fill), fee=fill.fee + 1)

    monkeypatch.setattr(venue, "model_fill", dearer)
    assert any(difference.startswith("fees: ") for difference in play().differences)


def test_a_symbol_that_the_venue_does_not_trade_is_refused() -> None:
    """The error names the key, the value and what is traded."""
    with pytest.raises(ConfigError, match=r"trading.symbol DOGEUSDT: expected one .* BTCUSDT, ETHUSDT"):
        Backtest(settings(symbol="DOGEUSDT"), generated())


def bars(path: Path, rows: list[tuple[int, int]]) -> SimulatorSettings:
    """Write a recording of close and volume a minute, and return a market of it."""
    lines = ["timestamp,open,high,low,close,volume"]
    before = rows[0][0]
    for number, (close, volume) in enumerate(rows):
        high, low = max(before, close) + 20, min(before, close) - 20
        lines.append(f"2022-01-01 {number // 60:02}:{number % 60:02}:00,{before},{high},{low},{close},{volume}")
        before = close
    path.write_text("\n".join(lines))
    return SimulatorSettings(replay=path, maker_fee=Decimal("0.00002"))


def test_the_risk_monitor_watches_the_recording(tmp_path: Path) -> None:
    """A loud fall stops the entries until it is over, as it does live, and only where risk control is on."""
    quiet, fall = [(40_000, 1_000_000)] * 30, [(39_900, 9_000_000), (39_800, 9_000_000)]
    market = bars(tmp_path / "bars.csv", [*quiet, *fall, *quiet])
    results = {}
    for enabled in (True, False):
        wanted = settings()
        risk = wanted.risk_control.model_copy(update={"enabled": enabled})
        results[enabled] = Backtest(wanted.model_copy(update={"risk_control": risk}), market).run()
    assert results[True].halted_s > 60
    assert results[True].orders < results[False].orders
    assert results[False].halted_s == 0


def test_the_interval_follows_the_range_of_the_recording(tmp_path: Path) -> None:
    """A grid whose interval follows the average true range has fewer levels in a market that swings."""
    swings = [(40_000 + number % 2 * 150, 1_000_000) for number in range(50)]
    market = bars(tmp_path / "bars.csv", swings)
    wide = Backtest(settings(dynamic_interval="true", volatility_candles="1m"), market).run()
    fixed = Backtest(settings(), market).run()
    assert 0 < wide.fills < fixed.fills / 2


def test_a_grid_that_may_place_nothing_is_refused() -> None:
    """What a market maker would not start with is no backtest of the month in which it holds nothing."""
    with pytest.raises(ConfigError, match=r"safety check: order_quantity: .*; round trip: "):
        Backtest(settings(price_interval="1", order_quantity="0.01"), generated())


def test_the_command_writes_the_result(recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`opensqt backtest` prints a table, and --json has every amount as text."""
    monkeypatch.setenv("SYMBOL", "BTCUSDT")
    monkeypatch.setenv("OPENSQT__TRADING__PRICE_INTERVAL", "20")
    monkeypatch.setenv("OPENSQT__TRADING__ORDER_QUANTITY", "100")
    out = tmp_path / "out.json"
    assert main(["backtest", "--data", str(recording), "--json", str(out)]) == 0
    (result,) = json.loads(out.read_text())
    assert Decimal(result["profit"]) == Decimal(result["end_equity"]) - 10_000
    assert result["differences"] == []


def test_each_mode_is_compared_with_and_without_risk_control(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modes and risk control that are asked for give a row each; every mode closes what it opens."""
    monkeypatch.setenv("SYMBOL", "BTCUSDT")
    monkeypatch.setenv("OPENSQT__TRADING__PRICE_INTERVAL", "20")
    monkeypatch.setenv("OPENSQT__TRADING__ORDER_QUANTITY", "100")
    out = tmp_path / "out.json"
    asked = ["--mode", "long", "--mode", "short", "--mode", "neutral", "--risk", "off", "--risk", "on"]
    assert main(["backtest", "--data", str(recording), "--days", "0.05", "--json", str(out), *asked]) == 0
    results = json.loads(out.read_text())
    assert [(one["mode"], one["risk_control"]) for one in results] == [
        (mode, risk) for mode in ("long", "short", "neutral") for risk in (False, True)
    ]
    assert all(one["round_trips"] > 0 and one["differences"] == [] for one in results)


def test_any_symbol_is_played_by_rules_from_its_recording_or_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--symbol wins over the settings' symbol; what is assumed about the recording is printed."""
    monkeypatch.setenv("OPENSQT__TRADING__PRICE_INTERVAL", "0.002")
    monkeypatch.setenv("OPENSQT__TRADING__ORDER_QUANTITY", "30")
    recording, rules, out = tmp_path / "xrp.csv", tmp_path / "rules.yaml", tmp_path / "out.json"
    rows = [f"{bar.open_ms},{','.join(map(str, bar.prices))},{bar.volume}" for bar in made.bars(120)]
    recording.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows))
    rules.write_text("symbols: [{symbol: XRPUSDT, price_step: 0.0005, quantity_step: 1}]")
    command = ["backtest", "--symbol", "xrpusdt", "--data", str(recording), "--json", str(out)]
    assert main(command) == 0
    (derived,) = json.loads(out.read_text())
    assert derived["symbol"] == "XRPUSDT"
    assert derived["round_trips"] > 0
    assert derived["differences"] == []
    assert "volume is taken as quote (USDT); say --volume base or --volume quote" in capsys.readouterr().out
    assert main([*command, "--rules", str(rules), "--volume", "base"]) == 0
    (given,) = json.loads(out.read_text())
    assert given["differences"] == []
    assert given["fills"] != derived["fills"]
    assert "volume is taken" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "no.csv"], "--data: no.csv: no such file"),
        (["--days", "0"], "--days 0: expected a number above zero"),
        (["--json", "/nowhere/out.json"], "--json: /nowhere: no such folder"),
    ],
)
def test_bad_input_ends_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line names the option, the value and what was expected."""
    monkeypatch.setenv("SYMBOL", "BTCUSDT")
    assert main(["backtest", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_mark_price_that_stays_away_keeps_no_exit_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """F40, F41: from the fifth minute on the mark is 3 % above the book; each level that fills is still offered."""
    set_mark, away_from_ms = SimEngine.set_mark, START_MS + 5 * MINUTE_MS

    def away(self: SimEngine, symbol: str, price: Decimal) -> None:
        set_mark(self, symbol, price * Decimal("1.03") if self.now_ms() >= away_from_ms else price)

    monkeypatch.setattr(SimEngine, "set_mark", away)
    trace = Trace()
    Backtest(settings(), generated(seed=3), trace=trace).run(START_MS + 40 * MINUTE_MS)
    later = [side for when_ms, side, _ in trace.fills if when_ms > away_from_ms + MINUTE_MS]
    assert later.count("BUY") >= 3, "levels fill after it, too"
    assert max(created for side, _, created, _ in trace.orders if side == "BUY") < away_from_ms + MINUTE_MS
    bought, sold = (sum(side == one for _, side, _ in trace.fills) for one in ("BUY", "SELL"))
    assert sum(side == "SELL" and closed is None for side, _, _, closed in trace.orders) == bought - sold


def test_what_stopped_entries_is_counted_and_no_line_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A month printed a line for each alarm of the risk monitor, and none of their number."""
    monkeypatch.setenv("COLUMNS", "120")
    path, config, data = (tmp_path / name for name in ("result.json", "grid.yaml", "bars.csv"))
    watched = {"monitor_symbols": ["BTCUSDT"], "average_window": 10}
    trading = {"symbol": "BTCUSDT", "price_interval": 20, "order_quantity": 100}
    config.write_text(json.dumps({"trading": trading, "risk_control": watched}))
    bars = ["timestamp,open,high,low,close,volume"]
    for number in range(80):
        loud = number % 25 == 24
        close, volume = (39_900, 10_000_000) if loud else (40_100, 1_000_000)
        bars.append(f"2022-01-01 {number // 60:02}:{number % 60:02}:00,40000,40150,39850,{close},{volume}")
    data.write_text("\n".join(bars))
    command = ["backtest", "--config", str(config), "--data", str(data), "--json", str(path)]
    assert main(command) == 0
    (result,) = json.loads(path.read_text())
    assert (result["stops"], result["price_holds"]) == ({"risk_monitor": 3}, 0)
    written = capsys.readouterr()
    assert "long, risk control on: entries stopped by risk monitor 3\n" in written.out
    assert "entries are stopped" not in written.out + written.err
