"""Every kind of frame of every venue, each field of it changed, over whole adapters: what can't be read is reported."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from opensqt.config.venue import VenueSettings
from opensqt.model.venue import Check
from opensqt.venues.adapter import VenueAdapter
from opensqt.venues.events import FillsPending, FundingAnnounced
from opensqt.venues.factory import KNOWN, venue_type
from opensqt.venues.set_aside import KINDS as ROW_KINDS
from tests.unit.venues.binance import test_parse as binance
from tests.unit.venues.okx import test_parse as okx
from tests.unit.venues.test_rows import BAD, KINDS, NAMES

PRIVATE_URLS = {
    "binance": "wss://host/ws?listenKey=k",
    "bitget": "wss://host/v2/ws/private",
    "bybit": "wss://host/v5/private",
    "gate": "wss://host/v4/ws/futures/usdt#private",
    "okx": "wss://host/ws/v5/private",
}
MARKET_URL = "wss://host/public"
Frame = dict[str, Any]
LIST = ["1597026360000", "8533.02", "8553.74", "8527.17", "8548.26", "45247", "529.5", "5529.58", "0"]
BOOK = {"bids": [["111.05", "57745", "0", "2"]], "asks": [["111.06", "55154", "0", "2"]], "ts": "1670324386802"}


def _okx(channel: str, row: Any) -> Frame:
    return {"arg": {"channel": channel, "instId": "BTC-USDT-SWAP"}, "data": [row]}


def _bitget(channel: str, row: Any) -> Frame:
    arg = {"instType": "USDT-FUTURES", "channel": channel, "instId": "BTCUSDT"}
    return {"action": "snapshot", "arg": arg, "data": [row], "ts": 1695717430441}


def _gate(channel: str, result: Any) -> Frame:
    return {"time": 1628736848, "channel": channel, "event": "update", "result": result}


BINANCE_TICKER = {
    "e": "bookTicker", "u": 400900217, "E": 1568014460893, "T": 1568014460891, "s": "BTCUSDT",
    "b": "25.35190000", "B": "31.21000000", "a": "25.36520000", "A": "40.66000000",
}  # fmt: skip
BINANCE_KLINE = {
    "t": 1638747660000, "T": 1638747719999, "s": "BTCUSDT", "i": "1m", "f": 100, "L": 200, "o": "0.0010",
    "c": "0.0020", "h": "0.0025", "l": "0.0015", "v": "1000", "n": 100, "x": True, "q": "1.0000", "V": "500",
}  # fmt: skip
BYBIT_KLINE = {
    "start": 1672324800000, "end": 1672325099999, "interval": "5", "open": "16649.5", "close": "16677", "confirm": True,
    "high": "16677", "low": "16608", "volume": "2.081", "turnover": "34666.4005", "timestamp": 1672324988882,
}  # fmt: skip
BYBIT_BOOK = {"s": "BTCUSDT", "b": [["100", "2"]], "a": [["101", "3"]], "u": 1, "seq": 1}
GATE_TICKER = {"t": 1615366379123, "u": 2517661076, "s": "BTC_USDT", "b": "54696.6", "B": 37, "a": "54696.7", "A": 47}
GATE_CANDLE = {
    "t": 1545129300, "v": 27525555, "c": "95.4", "h": "96.9", "l": "89.5", "o": "94.3", "n": "1m_BTC_USDT",
    "a": "314732.87412", "w": False,
}  # fmt: skip
MARKET_FRAMES: dict[str, Frame] = {
    "binance-price": BINANCE_TICKER,
    "binance-candle": {"e": "kline", "E": 1638747719999, "s": "BTCUSDT", "k": BINANCE_KLINE},
    "bitget-price": _bitget("books1", {**BOOK, "seq": 123}),
    "bitget-candle": _bitget("candle1m", LIST[:8]),
    "bybit-price": {"topic": "orderbook.1.BTCUSDT", "type": "snapshot", "ts": 2, "cts": 1, "data": BYBIT_BOOK},
    "bybit-candle": {"topic": "kline.5.BTCUSDT", "type": "snapshot", "ts": 1672324988882, "data": [BYBIT_KLINE]},
    "gate-price": _gate("futures.book_ticker", GATE_TICKER),
    "gate-candle": _gate("futures.candlesticks", [GATE_CANDLE]),
    "okx-price": _okx("bbo-tbt", BOOK),
    "okx-candle": _okx("candle1m", LIST),
}
BINANCE_LEVERAGE = {"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "T": 1, "ac": {"s": "BTCUSDT", "l": 25}}
ACCOUNT_FRAMES: dict[str, Frame] = {str(kind): kind.frame([deepcopy(kind.row)]) for kind in KINDS} | {
    "binance-order": binance.TRADE,
    "binance-leverage": BINANCE_LEVERAGE,
    "binance-mode": {"e": "ACCOUNT_CONFIG_UPDATE", "E": 1, "T": 1, "ai": {"j": True}},
}
RESPONSES: dict[str, Frame] = {
    "binance-response": {"result": None, "id": 1},
    "binance-error": {"error": {"code": 2, "msg": "Invalid request"}, "id": 1},
    "bitget-subscribe": {"event": "subscribe", "arg": {"channel": "orders", "instId": "default"}},
    "bitget-login": {"event": "login", "code": 0},
    "bitget-error": {"event": "error", "code": 30001, "msg": "channel does not exist"},
    "bybit-subscribe": {"success": True, "ret_msg": "", "conn_id": "c", "req_id": "private", "op": "subscribe"},
    "bybit-auth": {"success": False, "ret_msg": "error", "conn_id": "c", "op": "auth"},
    "gate-subscribe": {
        "time": 1, "channel": "futures.orders", "event": "subscribe", "error": None, "result": {"status": "success"},
    },
    "gate-error": {"time": 1, "channel": "futures.orders", "event": "subscribe", "error": {"code": 1, "message": "m"}},
    "okx-subscribe": {"event": "subscribe", "arg": {"channel": "orders"}, "connId": "a4"},
    "okx-login": {"event": "login", "code": "0", "msg": "", "connId": "a4"},
    "okx-error": {"event": "error", "code": "60012", "msg": "Invalid request", "connId": "a4"},
}  # fmt: skip
OPTIONAL = {
    # Older servers send neither.
    "gate-candle": {"a", "w"},
    # The matching engine's time; the sender's own stands for it.
    "bybit-price": {"cts"},
    # An update has the lists of what has changed only.
    "binance-position": {"B", "P"},
    "binance-balance": {"B", "P"},
}
"""Fields that may be absent, by kind of frame."""
NOT_OURS = {"binance-position": {"ps"}, "okx-position": {"posSide"}, "gate-position": {"mode"}}
"""Fields with which a row is of another position mode."""
COIN = {
    "binance-balance": "a",
    "bitget-balance": "marginCoin",
    "bybit-balance": "coin",
    "gate-balance": "currency",
    "okx-balance": "ccy",
}
"""Field with which a row is of another coin."""
LATE = {"bitget-position": "ts"}
"""Field with which a frame is older than the one before it."""


@dataclass(frozen=True)
class Change:
    """A frame with one field changed."""

    what: str
    field: str
    value: Any
    """The new value; `REMOVED` for none."""
    frame: Any


REMOVED = "removed"


def changes(frame: Any) -> Iterator[Change]:
    """The frame with each field removed, and with each bad value; then frames that are none."""
    for path in paths(frame):
        last = path[-1]
        name = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
        where = ".".join(map(str, path))
        # Of a list of values only the end can be removed: the others would be in other places. An empty one is right.
        if isinstance(last, str) or last == len(at(frame, path[:-1])) - 1 > 0:
            changed = deepcopy(frame)
            del at(changed, path[:-1])[last]
            yield Change(f"{where} removed", name, REMOVED, changed)
        for bad in BAD:
            changed = deepcopy(frame)
            at(changed, path[:-1])[last] = deepcopy(bad)
            yield Change(f"{where}={bad!r}", name, bad, changed)
    for bad in (None, [], [1], "text", 5, 1.5, True, {}):
        yield Change(repr(bad), "", bad, bad)


def paths(frame: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value of a frame."""
    names: Any = frame if isinstance(frame, dict) else range(len(frame)) if isinstance(frame, list) else ()
    for name in names:
        yield (*path, name)
        yield from paths(frame[name], (*path, name))


def at(frame: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        frame = frame[part]
    return frame


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Log nothing: to write thousands of lines takes longer than to read the frames."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


class Rig:
    """An adapter without a connection, fed with frames."""

    def __init__(self, name: str, private: bool = True) -> None:
        self.exchange = VenueAdapter(venue_type(name), VenueSettings(name=name))  # type: ignore[arg-type]
        venue = self.exchange.venue
        venue.rules_by_id = {NAMES.get(name, "BTCUSDT"): okx.rules()}
        venue.rules = {"BTCUSDT": okx.rules()}
        if name == "bitget":
            venue.symbols = {"BTCUSDT": "BTCUSDT"}  # type: ignore[attr-defined]
        venue.on_unknown_symbol = lambda: None
        self.metrics = self.exchange.venue_metrics
        self.socket = SimpleNamespace(url=PRIVATE_URLS[name] if private else MARKET_URL)
        self.events: list[Any] = []
        """The events of the last frame."""
        parse = venue.parse

        def parse_and_keep(frame: Any) -> list[Any] | None:
            self.events = []
            parsed = parse(frame)
            self.events = list(parsed or ())
            return None if parsed is None else self.events

        venue.parse = parse_and_keep  # type: ignore[method-assign]

    def feed(self, frame: Any) -> bool:
        """Feed a frame as the connection does; return whether the adapter took it."""
        taken: bool = self.exchange.client.callbacks.frame(self.socket, deepcopy(frame))
        return taken

    def noted(self) -> int:
        """How much was counted so far: rows, frames and events that can't be read."""
        counters = (self.metrics.unreadable_rows, self.metrics.malformed_frames, self.metrics.unhandled_events)
        return sum(counter.total() for counter in counters)

    async def checks(self) -> dict[str, Check]:
        return {check.name: check for check in (await self.exchange.get_status()).checks}

    def clear(self) -> None:
        """Forget the rows that are set aside."""
        for kind in ROW_KINDS:
            self.exchange.venue.set_aside.expire(kind, inf)


@pytest.mark.parametrize("kind", [*MARKET_FRAMES, *ACCOUNT_FRAMES])
async def test_a_changed_frame_is_read_or_reported_and_is_no_error_of_ours(kind: str) -> None:
    """F25, F44: each field removed, null, of another type or with a new word."""
    private = kind in ACCOUNT_FRAMES
    good = (ACCOUNT_FRAMES if private else MARKET_FRAMES)[kind]
    rig = Rig(kind.split("-")[0], private)
    assert rig.feed(good)
    expected = len(rig.events)
    assert expected, "the frame can be read"
    for change in changes(good):
        before = rig.noted()
        assert rig.feed(change.frame), change.what
        assert not rig.metrics.own_errors, change.what
        if rig.noted() > before:
            checks = await rig.checks()
            assert ("rows" in checks) == bool(rig.exchange.venue.set_aside), change.what
            assert "rows" in checks or "events" in checks, change.what
            assert all(check.ok for check in checks.values()), change.what
            rig.clear()
        else:
            # A fill without its fee is queried, beside its order or in place of itself; so is a funding payment that a
            # changed fee announces. Nothing else is added.
            whole = sum(not isinstance(event, FillsPending | FundingAnnounced) for event in rig.events)
            assert whole <= expected, change.what
            assert len(rig.events) >= expected or may_be_less(kind, change), change.what


def may_be_less(kind: str, change: Change) -> bool:
    """Whether a frame is right with this change and carries less: it is another coin's, or has no fill and so on."""
    if change.value == []:
        # There is nothing that could be lost.
        return True
    if change.field in OPTIONAL.get(kind, ()):
        return change.value in (REMOVED, None)
    return change.field in NOT_OURS.get(kind, ()) or change.field in (COIN.get(kind), LATE.get(kind))


@pytest.mark.parametrize("kind", RESPONSES)
async def test_a_changed_response_of_the_stream_is_no_error_of_ours(kind: str) -> None:
    """F25: it is taken, left to ccxt, or reported."""
    name = kind.split("-")[0]
    for private in (True, False):
        rig = Rig(name, private)
        for change in changes(RESPONSES[kind]):
            before = rig.noted()
            if rig.feed(change.frame) and not rig.events:
                assert rig.noted() > before or is_quiet(name, change.frame), change.what
            assert not rig.metrics.own_errors, change.what


def is_quiet(name: str, frame: Any) -> bool:
    """Whether a frame is an acknowledgement, which carries nothing by itself."""
    return isinstance(frame, dict) and "subscribe" in (frame.get("event"), frame.get("op")) and name != "binance"


@pytest.mark.parametrize("kind", MARKET_FRAMES)
async def test_a_bad_row_of_the_market_hides_no_other_of_its_frame(kind: str) -> None:
    """F25, F44: frames of several rows."""
    rig, frame = Rig(kind.split("-")[0], False), MARKET_FRAMES[kind]
    field = "data" if "data" in frame else "result"
    rows = frame.get(field)
    if not isinstance(rows, list):
        # The frame has one row.
        return
    for change in changes(rows[0]):
        rig.feed(frame | {field: [change.frame, rows[0]]})
        assert rig.events, change.what
        rig.clear()


SLIPS: list[Callable[[], Exception]] = [
    lambda: TypeError("our slip"),
    lambda: AttributeError("our slip"),
    lambda: KeyError("our slip"),
    lambda: RuntimeError("our slip"),
]


@pytest.mark.parametrize(("name", "slip"), [*((name, SLIPS[0]) for name in KNOWN), *(("okx", slip) for slip in SLIPS)])
@pytest.mark.parametrize("private", [True, False])
async def test_an_error_of_ours_is_not_taken_for_a_bad_frame(
    name: str, slip: Callable[[], Exception], private: bool
) -> None:
    """F25, F31: it fails a check of its own and is counted; no frame counts as malformed."""
    rig = Rig(name, private)

    def fails(frame: Any) -> None:
        raise slip()

    rig.exchange.venue.parse = fails  # type: ignore[method-assign, assignment]
    assert rig.feed({})
    check = (await rig.checks())["frames" if private else "market_frames"]
    assert (check.ok, "our slip" in check.reason) == (False, True)
    assert dict(rig.metrics.own_errors) == {"private" if private else "market": 1}
    assert rig.noted() == 0


async def test_a_frame_that_is_no_json_is_reported_by_its_stream() -> None:
    """F25: a connection whose frames are garbled shows which one it is."""
    rig = Rig("okx", private=False)
    rig.exchange.client.callbacks.malformed(rig.socket, "<html>")
    assert dict(rig.metrics.malformed_frames) == {"market": 1}
    assert "frame market: expected a frame of the venue" in (await rig.checks())["rows"].reason


async def test_a_kind_of_event_that_is_not_known_is_named_and_counted() -> None:
    """F25: it may be new, or one of ours under a new name."""
    rig = Rig("binance")
    rig.feed({"e": "SOMETHING_NEW", "E": 1})
    rig.feed({"e": "SOMETHING_NEW", "E": 2})
    check = (await rig.checks())["events"]
    assert (check.ok, check.reason) == (True, "not known to the adapter: SOMETHING_NEW (2)")


def test_a_lost_change_of_bybits_book_leaves_no_old_side() -> None:
    """F5, F25: a price is published again once both sides are known."""
    rig = Rig("bybit", private=False)
    book = MARKET_FRAMES["bybit-price"]

    for bids, asks, price in [
        ([["100", "2"]], [["101", "3"]], (100, 101)),
        ([["99.5", None]], [], None),
        ([], [["102", "1"]], None),
        ([["99", "1"]], [], (99, 102)),
    ]:
        rig.feed(book | {"type": "delta", "data": BYBIT_BOOK | {"b": bids, "a": asks}})
        assert [(event.bid, event.ask) for event in rig.events] == ([price] if price else [])
