"""Any market: rules from a file, from a recording or from a price, for one symbol or many at once."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.model.errors import ConfigError
from opensqt.model.order import OrderType, Side
from opensqt.simulator.engine.order import NewOrder
from opensqt.simulator.market.market import Market, open_market
from opensqt.simulator.market.rules_file import read_rules, trading_of
from opensqt.simulator.market.symbols import chosen_symbols, recorded_files, symbol_at
from opensqt.simulator.settings import SimulatorSettings
from tests.unit.recordings import made

HEADER = "timestamp,open,high,low,close,base_volume\n"


def _bars(folder: Path, name: str, *rows: str, first: int = 0) -> Path:
    lines = [f"{made.START_MS + (first + n) * made.MINUTE_MS},{row}\n" for n, row in enumerate(rows)]
    return made.write(folder, name, (HEADER + "".join(lines)).encode())


def _market(**settings) -> Market:
    return open_market(SimulatorSettings(**{"symbols": (), "clock": "manual", "replay_history": 0, **settings}))


@pytest.mark.parametrize(
    ("row", "price_step", "quantity_step"),
    [
        ("0.6200,0.6213,0.6190,0.6201,1234.5", "0.0001", "0.1"),
        ("45000.1,45010,44990,45000,0.125", "0.1", "0.001"),
        ("0.00001234,0.00001239,0.00001230,0.00001231,5000000", "1E-8", "1"),
        ("0.0112345,0.0112399,0.01123,0.011231,1e3", "1E-7", "1"),
        ("2,2,2,2,3", "0.001", "1"),
        ("0.62000000000001,0.6301,0.61,0.62,12.300000000000001", "0.0001", "0.1"),
    ],
)
def test_the_steps_of_a_recorded_symbol_are_those_of_its_numbers(tmp_path, row, price_step, quantity_step) -> None:
    """Tick and step are the decimal places that the recording has, but not the noise of floats."""
    rules = _market(replays={"XRPUSDT": (_bars(tmp_path, "a.csv", row),)}).engine.symbol("XRPUSDT")
    assert (rules.price_step, rules.quantity_step) == (Decimal(price_step), Decimal(quantity_step))
    assert rules.min_quantity == rules.quantity_step < rules.max_quantity


def test_where_only_quote_is_recorded_a_quantity_step_is_worth_cents(tmp_path: Path) -> None:
    """A quantity that was divided has no step of its own."""
    path = made.write(
        tmp_path, "a.csv", b"timestamp,open,high,low,close,quote_volume\n1735689600,0.62,0.63,0.61,0.62,99\n"
    )
    assert _market(replays={"XRPUSDT": (path,)}).engine.symbol("XRPUSDT").quantity_step == Decimal("0.1")


@pytest.mark.parametrize("price", ["0.00000123", "0.0112", "0.62", "142.5", "45000", "98765432"])
def test_a_symbol_of_any_price_moves_and_fills(price: str) -> None:
    """From a price alone: steps as venues choose them, quotes on both sides, an order of the least value fills."""
    settings = SimulatorSettings(symbols=(symbol_at("1000PEPEUSDT", Decimal(price)),), clock="manual", start_ms=10**12)
    market = open_market(settings)
    rules = market.engine.symbol("1000PEPEUSDT")
    assert Decimal("0.00001") <= rules.price_step / Decimal(price) <= Decimal("0.0001")
    quantity = (Decimal(6) / Decimal(price) // rules.quantity_step + 1) * rules.quantity_step
    order = NewOrder(symbol="1000PEPEUSDT", side=Side.BUY, quantity=quantity, order_type=OrderType.MARKET)
    placed = market.engine.place("sim-key", order)
    assert market.engine.find("sim-key", "1000PEPEUSDT", order_id=placed.order_id).filled_quantity == quantity
    before = market.engine.last_price("1000PEPEUSDT")
    market.advance(60_000)
    assert market.engine.last_price("1000PEPEUSDT") != before


def test_many_symbols_are_recorded_and_generated_at_once(tmp_path: Path) -> None:
    """Each recording by its own times and steps; the others are generated beside them."""
    xrp = _bars(tmp_path, "xrp.csv", "0.62,0.63,0.61,0.62,500", "0.62,0.64,0.62,0.64,500")
    sol = _bars(tmp_path, "sol.csv", "142.5,142.6,142.4,142.5,9", "142.5,142.7,142.5,142.7,9", first=1)
    chosen = chosen_symbols(["XRPUSDT", "SOLUSDT", "DOGEUSDT@0.3"], {}, {"XRPUSDT", "SOLUSDT"})
    market = _market(replays={"XRPUSDT": (xrp,), "SOLUSDT": (sol,)}, symbols=chosen)
    assert market.engine.now_ms() == made.START_MS
    assert not market.finished
    market.advance(3 * made.MINUTE_MS)
    closes = {
        symbol: [bar.close for bar in market.engine.candles(symbol, "1m") if bar.trades]
        for symbol in ("XRPUSDT", "SOLUSDT")
    }
    assert closes == {"XRPUSDT": [Decimal("0.62"), Decimal("0.64")], "SOLUSDT": [Decimal("142.5"), Decimal("142.7")]}
    assert market.engine.day("DOGEUSDT").volume > 0
    assert market.finished


def test_files_of_one_symbol_follow_each_other(tmp_path: Path) -> None:
    """Archives come by day and month; in which order they are named does not matter."""
    later = _bars(tmp_path, "b.csv", "0.63,0.64,0.62,0.64,500", first=1)
    earlier = _bars(tmp_path, "a.csv", "0.62,0.63,0.61,0.62,500")
    market = _market(replays={"XRPUSDT": (later, earlier)})
    market.advance(2 * made.MINUTE_MS)
    assert [bar.open for bar in market.engine.candles("XRPUSDT", "1m") if bar.trades] == [
        Decimal("0.62"),
        Decimal("0.63"),
    ]


def test_files_that_overlap_are_refused(tmp_path: Path) -> None:
    """A day and the month that has it are not played twice."""
    month = _bars(tmp_path, "month.csv", "0.62,0.63,0.61,0.62,500", "0.62,0.63,0.61,0.62,500")
    day = _bars(tmp_path, "day.csv", "0.62,0.63,0.61,0.62,500", first=1)
    with pytest.raises(ConfigError, match=r"day.csv: its first row: expected a time after the last one of .*month.csv"):
        _market(replays={"XRPUSDT": (month, day)}).advance(3 * made.MINUTE_MS)


def test_bars_and_trades_of_one_symbol_are_not_played_together(tmp_path: Path) -> None:
    """They are the same trades twice."""
    bars = _bars(tmp_path, "bars.csv", "0.62,0.63,0.61,0.62,500")
    trades = made.write(tmp_path, "trades.csv", made.trade_files(made.trades())["binance-futures-trades.csv"])
    with pytest.raises(ConfigError, match=r"bars.csv: expected no other files than bars, found trades in .*trades.csv"):
        _market(replays={"XRPUSDT": (bars, trades)})


def test_rules_come_from_a_file(tmp_path: Path) -> None:
    """Only symbol and steps are needed; the rest suits the price."""
    path = tmp_path / "rules.yaml"
    path.write_text(
        "symbols:\n- {symbol: XRPUSDT, price_step: 0.0001, quantity_step: 0.1, start_price: 0.62, min_notional: 5}\n"
        "- {symbol: 1000PEPEUSDT, price_step: 0.0000001, quantity_step: 1, max_leverage: 25}\n"
    )
    rules = read_rules(path)
    assert rules["XRPUSDT"].start_price == Decimal("0.62")
    assert rules["XRPUSDT"].min_notional == 5
    assert rules["1000PEPEUSDT"].base_asset == "1000PEPE"
    assert rules["1000PEPEUSDT"].max_leverage == 25
    assert rules["1000PEPEUSDT"].start_price == Decimal("0.01")


def test_prices_that_are_rounded_to_given_rules_are_reported(tmp_path: Path) -> None:
    """Rules that a recording does not fit are never applied in silence."""
    path = _bars(tmp_path, "xrp.csv", "0.6200,0.6213,0.6190,0.6201,500")
    rules = symbol_at("XRPUSDT", Decimal("0.62")).model_copy(update={"price_step": Decimal("0.0005")})
    market = _market(replays={"XRPUSDT": (path,)}, symbols=(rules,))
    assert market.notes == (
        f"{path}: price 0.6213 is not a multiple of XRPUSDT's price step 0.0005: prices are rounded to it",
    )
    assert _market(replays={"XRPUSDT": (path,)}).notes == ()


def _exchange_info(*symbols: str) -> str:
    def row(symbol: str, kind: str = "PERPETUAL") -> dict[str, object]:
        filters = [
            {"filterType": "PRICE_FILTER", "minPrice": "0.0143", "maxPrice": "100000", "tickSize": "0.0001"},
            {"filterType": "LOT_SIZE", "stepSize": "0.1", "maxQty": "10000000", "minQty": "0.1"},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.1", "maxQty": "2000000", "minQty": "0.1"},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ]
        return {"symbol": symbol, "contractType": kind, "quoteAsset": "USDT", "filters": filters}

    return json.dumps({"timezone": "UTC", "symbols": [*map(row, symbols), row("XRPUSDT_250627", "CURRENT_QUARTER")]})


def test_rules_come_from_binances_own_list(tmp_path: Path) -> None:
    """The answer to exchangeInfo as it was saved; a price with the symbol is where it starts."""
    path = tmp_path / "exchangeInfo.json"
    path.write_text(_exchange_info("XRPUSDT", "1000PEPEUSDT"))
    rules = read_rules(path)
    assert set(rules) == {"XRPUSDT", "1000PEPEUSDT"}
    (xrp,) = chosen_symbols(["XRPUSDT@0.62"], rules, ())
    assert (xrp.price_step, xrp.min_notional, xrp.max_market_quantity) == (Decimal("0.0001"), 5, 2_000_000)
    assert xrp.start_price == Decimal("0.62")


def test_of_a_list_of_many_symbols_those_trade_that_are_chosen_or_recorded(tmp_path: Path) -> None:
    """A venue's list has hundreds: they don't all trade because of one."""
    path = tmp_path / "exchangeInfo.json"
    path.write_text(_exchange_info("XRPUSDT", *(f"A{n}USDT" for n in range(30))))
    rules = read_rules(path)
    assert [each.symbol for each in trading_of(path, rules, {"XRPUSDT": ()})] == ["XRPUSDT"]
    with pytest.raises(ConfigError, match=r"--rules .*: it has 31 symbols; choose with --symbol"):
        trading_of(path, rules, {})


def test_a_list_without_a_filter_is_refused(tmp_path: Path) -> None:
    """The symbol and the filter are named."""
    path = tmp_path / "exchangeInfo.json"
    path.write_text(_exchange_info("XRPUSDT").replace("LOT_SIZE", "LOTS"))
    with pytest.raises(ConfigError, match=r"Info.json: symbols: XRPUSDT: expected its filters to have 'LOT_SIZE'"):
        read_rules(path)


def test_rules_beside_a_recording_are_those_of_its_venue(tmp_path: Path) -> None:
    """`opensqt record` writes them; they win over derived and built-in ones, not over those that are given."""
    trades = made.bar_files(made.bars())["XRP_USDT-1m.parquet"]
    for symbol in ("XRPUSDT", "BTCUSDT"):
        made.write(tmp_path, f"{symbol}-bars.parquet", trades)
        row = {"symbol": symbol, "price_step": "0.0002", "quantity_step": "0.5", "min_notional": "7"}
        (tmp_path / f"{symbol}-rules.json").write_text(json.dumps({"symbols": [row]}))
    replays = dict.fromkeys(("XRPUSDT", "BTCUSDT"), (tmp_path,))
    engine = _market(replays=replays, symbols=SimulatorSettings().symbols).engine
    assert [engine.symbol(symbol).min_notional for symbol in replays] == [7, 7]
    given = symbol_at("XRPUSDT", Decimal("0.62"))
    assert _market(replays={"XRPUSDT": (tmp_path,)}, symbols=(given,)).engine.symbol("XRPUSDT").min_notional == 5


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("symbols:\n- {symbol: XRPUSDT, price_step: 0, quantity_step: 1}", r"rules.yaml.*price_step.*greater than 0"),
        ("symbols:\n- {symbol: XRPUSDT, quantity_step: 1}", r"rules.yaml.*symbols.0.price_step"),
        ("symbols:\n- {symbol: XRPUSDT, price_step: 1, quantity_step: 1, tick: 2}", r"rules.yaml.*symbols.0.tick"),
        (
            "symbols:\n- {symbol: XRPUSD, price_step: 1, quantity_step: 1}",
            r"symbol XRPUSD: expected letters and digits",
        ),
    ],
)
def test_a_wrong_rule_names_file_key_and_value(tmp_path: Path, text: str, complaint: str) -> None:
    """A rule is never taken by half."""
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        read_rules(path)


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (["XRPUSDT"], r"--symbol XRPUSDT: expected a symbol with rules .* with a price \(XRPUSDT@0.62\)"),
        (["XRPUSDT@"], r"--symbol XRPUSDT@: expected a price above zero after @"),
        (["XRPUSDT@-1"], r"--symbol XRPUSDT@-1: expected a price above zero after @"),
        (["XRPUSDT@1", "xrpusdt@2"], r"--symbol xrpusdt@2: expected each symbol once"),
        (["XRP-USDT@1"], r"symbol XRP-USDT: expected letters and digits that end in USDT"),
    ],
)
def test_a_symbol_of_which_nothing_is_known_is_refused(wanted: list[str], complaint: str) -> None:
    """The sentence says the three ways to make it known."""
    with pytest.raises(ConfigError, match=complaint):
        chosen_symbols(wanted, {}, ())


def test_files_are_of_the_symbol_before_the_equals_sign() -> None:
    """A file without one is of the usual symbol, and its name may have an equals sign."""
    given = ["XRPUSDT=a.csv", "b=2.csv", "XRPUSDT=c.csv"]
    assert recorded_files(given, "BTCUSDT") == {
        "XRPUSDT": (Path("a.csv"), Path("c.csv")),
        "BTCUSDT": (Path("b=2.csv"),),
    }
