"""Bitget's WebSocket frames: subscriptions acknowledged, and what each channel tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from opensqt.model.account import Position
from opensqt.model.order import OrderUpdate, PositionSide
from opensqt.venues.account.state import flat
from opensqt.venues.bitget import parse
from opensqt.venues.venue import Event, StreamReady

Row = dict[str, Any]
INTERVALS = {
    "1m": "1m",
    "5m": "5m",
    "15m": "15m",
    "30m": "30m",
    "1h": "1H",
    "4h": "4H",
    "6h": "6Hutc",
    "12h": "12Hutc",
    "1d": "1Dutc",
}
"""The intervals that requests and streams both tell; without the suffix the long ones begin at UTC+8."""
_OUR_INTERVAL = {f"candle{text}": interval for interval, text in INTERVALS.items()}
_PRIVATE = {"orders": "instId", "positions": "instId", "account": "coin"}
"""The account's channels, and the field that asks for all of each."""
PRIVATE_ARGS = [
    {"instType": "USDT-FUTURES", "channel": channel, field: "default"} for channel, field in _PRIVATE.items()
]


class Frames:
    """Reads frames of one account.

    Args:
        symbol: Answers our name of a symbol; an empty text for one that is not ours.
        order_update: Reads a row of the orders channel.
        set_aside: Reads rows one by one, so that a bad one hides no other.
        unknown: Told of channels that nothing of ours handles.
    """

    def __init__(
        self,
        symbol: Callable[[str], str],
        *,
        order_update: Callable[[Row], OrderUpdate],
        set_aside: Callable[[Iterable[Row], Callable[[Row], OrderUpdate]], list[OrderUpdate]],
        unknown: Callable[[str], None],
    ) -> None:
        self._symbol = symbol
        self._order_update = order_update
        self._parse_rows = set_aside
        self._unknown = unknown
        self._acknowledged: set[str] = set()
        self._held: set[tuple[str, PositionSide]] = set()
        self._held_ms = 0

    def begin(self) -> None:
        """Expect the acknowledgements of a new private connection."""
        self._acknowledged.clear()

    def parse(self, frame: Row) -> Iterable[Event] | None:
        """See `Venue.parse`."""
        if "data" not in frame:
            return self._answer(frame)
        channel, rows = frame["arg"]["channel"], frame["data"]
        if channel == "books1":
            return self._price(frame["arg"]["instId"], rows[0])
        if channel == "orders":
            known = [row for row in rows if self._symbol(row["instId"])]
            return self._parse_rows(known, self._order_update)
        if channel == "positions":
            return self._positions(rows, int(frame["ts"]))
        if channel == "account":
            return [parse.balance_change(row, int(frame["ts"])) for row in rows if row["marginCoin"] == parse.ASSET]
        if channel in _OUR_INTERVAL:
            return self._candle(frame["arg"]["instId"], _OUR_INTERVAL[channel], rows, int(frame["ts"]))
        self._unknown(str(channel))
        return ()

    def _answer(self, frame: Row) -> Iterable[Event] | None:
        """Take note of an acknowledged subscription; ccxt sees the answers too."""
        channel = (frame.get("arg") or {}).get("channel")
        if frame.get("event") != "subscribe" or channel not in _PRIVATE:
            return None
        self._acknowledged.add(channel)
        if len(self._acknowledged) < len(_PRIVATE):
            return ()
        self._acknowledged.clear()
        return (StreamReady(),)

    def _price(self, name: str, row: Row) -> Iterable[Event]:
        symbol = self._symbol(name)
        if not symbol or not row["bids"] or not row["asks"]:
            return ()
        return (parse.price(symbol, row["bids"][0], row["asks"][0], row["ts"]),)

    def _candle(self, name: str, interval: str, rows: list[list[str]], time_ms: int) -> Iterable[Event]:
        """Tell the newest candle; that an older one closed is asked, as nothing here says what its last word was."""
        symbol = self._symbol(name)
        if not symbol or not rows:
            return ()
        newest = max(rows, key=lambda row: int(row[0]))
        return (parse.candle(symbol, interval, newest, time_ms=time_ms),)

    def _positions(self, rows: list[Row], time_ms: int) -> list[Position]:
        """Read all positions that are held: one that was among them and is no more is flat."""
        if time_ms < self._held_ms:
            return []
        held = []
        for row in rows:
            symbol = self._symbol(row["instId"])
            # One that can't be read must not pass for one that is gone: the frame is set aside whole.
            if symbol:
                held.append(parse.position(row, symbol))
        now = {(position.symbol, position.position_side) for position in held}
        gone = self._held - now
        self._held, self._held_ms = now, time_ms
        return held + [replace(flat(*key), event_time_ms=time_ms) for key in gone]
