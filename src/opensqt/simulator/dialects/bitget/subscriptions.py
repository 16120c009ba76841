"""The channels of Bitget's WebSocket and their meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opensqt.simulator.dialects.bitget.parameters import PRODUCT_TYPE
from opensqt.simulator.dialects.bitget.public import INTERVALS

_DEPTHS = {"books": 0, "books1": 1, "books5": 5, "books15": 15}
_EVERY_MS = {"ticker": 100, "books": 150, "books5": 150, "books15": 150, "candle": 250}
_FAULT_NAMES = {"ticker": "price", "trade": "trades", "candle": "kline", "books1": "price"}
PRIVATE = {
    "orders": "orders",
    "orders-algo": "orders",
    "fill": "orders",
    "positions": "positions",
    "account": "account",
}
"""The account's channels, with their names in a fault script."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription of a client.

    Attributes:
        name: As clients write it: `ticker`, `books5`, `candle1m`, `orders`, ...
        kind: `ticker`, `trade`, `candle`, one of the books, or a private channel.
        symbol: Canonical; empty for a private channel, which covers all symbols.
        interval: Interval of a candle, in OpenSQT's spelling.
        levels: Levels of a book; 0 sends differences.
    """

    name: str
    kind: str
    symbol: str = ""
    interval: str = ""
    levels: int = 0

    @property
    def private(self) -> bool:
        """Whether it belongs to an account."""
        return self.kind in PRIVATE

    @property
    def topic(self) -> str:
        """Topic of the subscription."""
        return f"{self.name}:{self.symbol}"

    @property
    def fault_name(self) -> str:
        """Name in a fault script."""
        return PRIVATE.get(self.kind) or _FAULT_NAMES.get(self.kind, "depth")

    @property
    def every_ms(self) -> int:
        """Minimum interval between two frames; 0 sends at once."""
        return _EVERY_MS.get(self.kind, 0)

    @property
    def arg(self) -> dict[str, str]:
        """The `arg` of every frame."""
        where = {"coin": "default"} if self.kind == "account" else {"instId": self.symbol or "default"}
        return {"instType": PRODUCT_TYPE, "channel": self.name, **where}


def parse(arg: Any) -> Subscription | None:
    """Parse one item of a subscription; None if it is not a channel of these futures."""
    if not isinstance(arg, dict) or str(arg.get("instType", "")).upper() != PRODUCT_TYPE:
        return None
    name, symbol = str(arg.get("channel", "")), str(arg.get("instId", ""))
    if name in PRIVATE:
        return Subscription(name, name)
    if name in _DEPTHS:
        return Subscription(name, name, symbol, levels=_DEPTHS[name])
    if name in ("ticker", "trade"):
        return Subscription(name, name, symbol)
    interval = INTERVALS.get(name.removeprefix("candle"))
    if name.startswith("candle") and interval is not None:
        return Subscription(name, "candle", symbol, interval)
    return None
