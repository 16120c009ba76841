"""The tables of the market maker's database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    false,
)

VERSION = 3
"""The newest revision in `migrations`: every change of a table needs one.

An older database is upgraded at the start, a newer one is refused.
"""

metadata = MetaData()


class Exact(TypeDecorator[Decimal]):
    """A Decimal as text: neither database may round it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Return plain digits."""
        return None if value is None else format(value, "f")

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return the Decimal of stored digits."""
        return None if value is None else Decimal(value)


meta = Table("meta", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

grids = Table(
    "grids",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("anchor", Exact, nullable=False),
    Column("interval", Exact, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("watermark_ms", BigInteger, nullable=False),
    Column("orders_placed", Integer, nullable=False),
    Column("fills", Integer, nullable=False),
    Column("volume", Exact, nullable=False),
    Column("fees", Text, nullable=False),
    Column("realized_pnl", Exact, nullable=False),
    Column("profit", Exact, nullable=False),
    Column("adopted", Exact, nullable=False),
    Column("geometric", Boolean, nullable=False, server_default=false()),
    Column("stopped", Text),
)

slots = Table(
    "slots",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("quantity", Exact, nullable=False),
    Column("cost", Exact, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("client_order_id", String(32), primary_key=True),
    Column("symbol", String(32), nullable=False),
    Column("level", Integer, nullable=False),
    Column("side", String(4), nullable=False),
    Column("price", Exact, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("order_id", String(64), nullable=False),
    Column("status", String(20), nullable=False),
    Column("filled", Exact, nullable=False),
    Column("counted", Exact, nullable=False),
    Column("reason", Text, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index("orders_live", "symbol", "live"),
    Index("orders_updated", "symbol", "updated_ms"),
)

fills = Table(
    "fills",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("trade_id", String(64), primary_key=True),
    Column("order_id", String(64), nullable=False),
    Column("client_order_id", String(32), nullable=False),
    Column("level", Integer, nullable=False),
    Column("side", String(4), nullable=False),
    Column("position_side", String(5), nullable=False),
    Column("price", Exact, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("fee_asset", String(16), nullable=False),
    Column("is_maker", Boolean, nullable=False),
    Column("realized_pnl", Exact, nullable=False),
    Column("profit", Exact, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("kind", String(20), nullable=False, server_default="TRADE"),
    Column("other_fees", Text, nullable=False, server_default="{}"),
    Column("mid", Exact),
    Column("fees_value", Exact),
    Column("average_profit", Exact),
    Index("fills_time", "symbol", "time_ms"),
)

foreign_fills = Table(
    "foreign_fills",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("trade_id", String(64), primary_key=True),
    Column("order_id", String(64), nullable=False),
    Column("client_order_id", String(64), nullable=False),
    Column("side", String(4), nullable=False),
    Column("position_side", String(5), nullable=False),
    Column("price", Exact, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("fee", Exact, nullable=False),
    Column("fee_asset", String(16), nullable=False),
    Column("is_maker", Boolean, nullable=False),
    Column("realized_pnl", Exact, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("other_fees", Text, nullable=False),
    Column("fees_value", Exact),
    Column("average_profit", Exact, nullable=False),
    Index("foreign_fills_time", "symbol", "time_ms"),
)

profit = Table(
    "profit",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("since_ms", BigInteger, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("cost", Exact, nullable=False),
    Column("short_quantity", Exact, nullable=False),
    Column("short_cost", Exact, nullable=False),
    Column("realized", Exact, nullable=False),
    Column("venue_made", Text, nullable=False),
    Column("by_hand", Exact, nullable=False),
    Column("unexplained", Exact, nullable=False),
    Column("fees", Text, nullable=False),
    Column("fees_value", Exact, nullable=False),
    Column("unpriced_fees", Text, nullable=False),
    Column("awaited_fees", Text, nullable=False),
    Column("funding", Exact, nullable=False),
    Column("other_funding", Text, nullable=False),
    Column("funding_payments", Integer, nullable=False),
    Column("newest_funding_ms", BigInteger, nullable=False),
    Column("spread", Exact, nullable=False),
    Column("spread_fills", Integer, nullable=False),
    Column("foreign_fills", Integer, nullable=False),
    Column("ordered_from_ms", BigInteger, nullable=False),
)

funding = Table(
    "funding",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("payment_id", String(64), primary_key=True),
    Column("amount", Exact, nullable=False),
    Column("asset", String(16), nullable=False),
    Column("position_side", String(5), nullable=False),
    Column("rate", Exact),
    Column("position_size", Exact),
    Column("time_ms", BigInteger, nullable=False),
    Index("funding_time", "symbol", "time_ms"),
)

_SNAPSHOT = (
    "mark",
    "position",
    "round_trips",
    "realized",
    "venue_made",
    "by_hand",
    "unexplained",
    "open",
    "fees",
    "funding",
    "total",
    "volume",
)
"""The sums of the profit at one moment, quote; `position` is in base coins."""


def _snapshot() -> list[Column[Decimal]]:
    return [Column(name, Exact, nullable=False) for name in _SNAPSHOT]


equity = Table(
    "equity",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("minute_ms", BigInteger, primary_key=True),
    *_snapshot(),
    Column("fills", Integer, nullable=False),
    Column("account_equity", Exact),
)

days = Table(
    "days",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("day_ms", BigInteger, primary_key=True),
    *_snapshot(),
    Column("fills", Integer, nullable=False),
    Column("account_equity", Exact),
    Column("lowest", Exact, nullable=False),
    Column("highest", Exact, nullable=False),
)

markouts = Table(
    "markouts",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("trade_id", String(64), primary_key=True),
    Column("level", Integer, nullable=False),
    Column("side", String(4), nullable=False),
    Column("price", Exact, nullable=False),
    Column("quantity", Exact, nullable=False),
    Column("mid", Exact, nullable=False),
    Column("mid_1s", Exact),
    Column("mid_5s", Exact),
    Column("mid_30s", Exact),
    Column("mid_300s", Exact),
    Column("time_ms", BigInteger, nullable=False),
    Index("markouts_time", "symbol", "time_ms"),
)

holders = Table(
    "holders",
    metadata,
    Column("symbol", String(32), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("description", String(64), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("renewed_ms", BigInteger, nullable=False),
)
"""Who trades a grid: `holder` identifies the process and is empty once it was given up, `number` goes up with each new
one, `renewed_ms` is of the database's clock."""
