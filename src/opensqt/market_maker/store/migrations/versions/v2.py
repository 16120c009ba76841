"""Add the parts of the profit, funding payments, foreign fills, equity by minute and day, and markouts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"

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


def upgrade() -> None:
    """Add columns to `fills`, and tables."""
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("fills")}
    for column in (
        # The first programs of version 1 made `fills` without these two, later ones added them.
        sa.Column("kind", sa.String(20), nullable=False, server_default="TRADE"),
        sa.Column("other_fees", sa.Text, nullable=False, server_default="{}"),
        sa.Column("mid", sa.Text),
        sa.Column("fees_value", sa.Text),
        sa.Column("average_profit", sa.Text),
    ):
        if column.name not in there:
            op.add_column("fills", column)
    op.add_column("grids", sa.Column("geometric", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("grids", sa.Column("stopped", sa.Text))
    _add_foreign_fills()
    _add_profit()
    _add_funding()
    _add_equity()
    _add_markouts()


def _add_foreign_fills() -> None:
    op.create_table(
        "foreign_fills",
        *_trade_key(),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("client_order_id", sa.String(64), nullable=False),
        sa.Column("side", sa.String(4), nullable=False),
        sa.Column("position_side", sa.String(5), nullable=False),
        _exact("price"),
        _exact("quantity"),
        _exact("fee"),
        sa.Column("fee_asset", sa.String(16), nullable=False),
        sa.Column("is_maker", sa.Boolean, nullable=False),
        _exact("realized_pnl"),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        _exact("other_fees"),
        sa.Column("fees_value", sa.Text),
        _exact("average_profit"),
    )
    op.create_index("foreign_fills_time", "foreign_fills", ["symbol", "time_ms"])


def _add_profit() -> None:
    op.create_table(
        "profit",
        sa.Column("symbol", sa.String(32), primary_key=True),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
        *(_exact(name) for name in ("quantity", "cost", "short_quantity", "short_cost")),
        *(_exact(name) for name in ("realized", "venue_made", "by_hand", "unexplained")),
        *(_exact(name) for name in ("fees", "fees_value", "unpriced_fees", "awaited_fees")),
        *(_exact(name) for name in ("funding", "other_funding")),
        sa.Column("funding_payments", sa.Integer, nullable=False),
        sa.Column("newest_funding_ms", sa.BigInteger, nullable=False),
        _exact("spread"),
        sa.Column("spread_fills", sa.Integer, nullable=False),
        sa.Column("foreign_fills", sa.Integer, nullable=False),
        sa.Column("ordered_from_ms", sa.BigInteger, nullable=False),
    )


def _add_funding() -> None:
    op.create_table(
        "funding",
        sa.Column("symbol", sa.String(32), primary_key=True),
        sa.Column("payment_id", sa.String(64), primary_key=True),
        _exact("amount"),
        sa.Column("asset", sa.String(16), nullable=False),
        sa.Column("position_side", sa.String(5), nullable=False),
        sa.Column("rate", sa.Text),
        sa.Column("position_size", sa.Text),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("funding_time", "funding", ["symbol", "time_ms"])


def _add_equity() -> None:
    op.create_table(
        "equity",
        sa.Column("symbol", sa.String(32), primary_key=True),
        sa.Column("minute_ms", sa.BigInteger, primary_key=True),
        *(_exact(name) for name in _SNAPSHOT),
        sa.Column("fills", sa.Integer, nullable=False),
        sa.Column("account_equity", sa.Text),
    )
    op.create_table(
        "days",
        sa.Column("symbol", sa.String(32), primary_key=True),
        sa.Column("day_ms", sa.BigInteger, primary_key=True),
        *(_exact(name) for name in _SNAPSHOT),
        sa.Column("fills", sa.Integer, nullable=False),
        sa.Column("account_equity", sa.Text),
        _exact("lowest"),
        _exact("highest"),
    )


def _add_markouts() -> None:
    op.create_table(
        "markouts",
        *_trade_key(),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("side", sa.String(4), nullable=False),
        *(_exact(name) for name in ("price", "quantity", "mid")),
        *(sa.Column(name, sa.Text) for name in ("mid_1s", "mid_5s", "mid_30s", "mid_300s")),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("markouts_time", "markouts", ["symbol", "time_ms"])


def _trade_key() -> list[sa.Column[str]]:
    return [
        sa.Column("symbol", sa.String(32), primary_key=True),
        sa.Column("trade_id", sa.String(64), primary_key=True),
    ]


def _exact(name: str) -> sa.Column[str]:
    """A Decimal, or several as JSON, as text."""
    return sa.Column(name, sa.Text, nullable=False)
