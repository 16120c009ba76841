"""OKX's channels: the argument of a subscription, and the address at which it is served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from opensqt.simulator.dialects.base import ErrorReply
from opensqt.simulator.dialects.okx.instruments import Instruments
from opensqt.simulator.dialects.okx.public import BARS

_MARKET = {
    "bbo-tbt": ("price", 0),
    "tickers": ("ticker", 100),
    "books5": ("depth", 100),
    "books": ("depth", 100),
    "trades": ("trades", 0),
    "trades-all": ("trades", 0),
    "mark-price": ("mark_price", 200),
    "funding-rate": ("mark_price", 30_000),
}
"""By name: the channel in a fault script, and the minimum milliseconds between two frames."""
_PRIVATE = {
    "orders": "orders",
    "account": "account",
    "positions": "positions",
    "balance_and_position": "account+positions",
    "orders-algo": "orders",
}
_PRIVATE_ON_BUSINESS = ("orders-algo",)
_TYPES = ("ANY", "SWAP", "SPOT", "MARGIN", "FUTURES", "OPTION", "EVENTS")
_CANDLE_EVERY_MS = 250
_INSTRUMENTS_EVERY_MS = 1_000
"""Interval at which changes of the instruments are looked for."""
_ON_BUSINESS = ("candle", "trades-all")


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription."""

    name: str
    """Name of the channel."""
    fine: str
    """Name in a fault script."""
    arg: dict[str, str]
    """Argument of the subscription; each frame repeats it."""
    symbol: str = ""
    """Canonical; empty for all."""
    interval: str = ""
    """Interval of a candle."""
    every_ms: int = 0
    private: bool = False
    only_changes: bool = False
    """Whether it is sent when something changes, and not at intervals besides."""
    silent: bool = False
    """Whether it is of instruments that do not trade here: it is accepted, and there is nothing to send."""

    @property
    def topic(self) -> str:
        """Topic; the same for all subscriptions with the same argument."""
        return orjson.dumps(self.arg, option=orjson.OPT_SORT_KEYS).decode()


def parse(arg: Any, path: str, instruments: Instruments) -> Subscription:
    """Parse the argument of a subscription made at a path.

    Raises:
        ErrorReply: There is no such channel there, or no such instrument.
    """
    if isinstance(arg, dict):
        # An optional field may be null.
        arg = {name: value for name, value in arg.items() if value is not None}
    if not isinstance(arg, dict) or not all(isinstance(value, str) for value in arg.values()):
        raise ErrorReply(400, "60012", "Illegal request: args: expected objects with texts")
    name, family = arg.get("channel", ""), arg.get("instFamily", "")
    inst_id = arg.get("instId") or (f"{family}-SWAP" if family else "")
    swap = instruments.find(inst_id)
    unknown = _unknown(arg)
    private_path = "business" if name in _PRIVATE_ON_BUSINESS else "private"
    if name in _PRIVATE and path != private_path:
        raise unknown
    if (path == "private" and name not in _PRIVATE) or (inst_id and swap is None):
        raise unknown
    symbol = swap.symbol if swap is not None else ""
    if name in _PRIVATE:
        kind = arg.get("instType", "")
        typed = name in ("orders", "orders-algo", "positions")
        if typed and kind not in _TYPES:
            raise unknown
        silent = typed and kind not in ("ANY", "SWAP")
        changes = _only_changes(arg)
        return Subscription(name, _PRIVATE[name], arg, symbol, private=True, only_changes=changes, silent=silent)
    if name == "instruments":
        kind = arg.get("instType", "")
        if path != "public" or kind not in _TYPES or kind == "ANY":
            raise unknown
        arg = {"channel": name, "instType": kind}
        return Subscription(name, "ticker", arg, every_ms=_INSTRUMENTS_EVERY_MS, silent=kind != "SWAP")
    if swap is None or (path == "business") != name.startswith(_ON_BUSINESS):
        raise unknown
    arg = {"channel": name, "instId": inst_id}
    interval = BARS.get(name.removeprefix("candle"))
    if name.startswith("candle") and interval is not None:
        return Subscription(name, "kline", arg, symbol, interval, _CANDLE_EVERY_MS)
    if name not in _MARKET:
        raise unknown
    fine, every_ms = _MARKET[name]
    return Subscription(name, fine, arg, symbol, every_ms=every_ms)


def _only_changes(arg: dict[str, str]) -> bool:
    """Read `updateInterval` of the extra parameters: 0 asks for changes only, and nothing else is simulated."""
    try:
        extra = orjson.loads(arg.get("extraParams") or "{}")
    except orjson.JSONDecodeError:
        extra = None
    if not isinstance(extra, dict):
        raise ErrorReply(400, "60012", "Illegal request: extraParams: expected a JSON object")
    interval = str(extra.get("updateInterval", ""))
    if interval not in ("", "0"):
        raise ErrorReply(400, "60012", f"Illegal request: the simulator has no updateInterval {interval[:20]}")
    return interval == "0"


def _unknown(arg: dict[str, str]) -> ErrorReply:
    named = ",".join(f"{name}:{value}" for name, value in arg.items())
    return ErrorReply(
        400, "60018", f"Wrong URL or {named} doesn't exist. Please use the correct URL, channel and parameters"
    )
