"""How a demo ended: the market maker's store laid beside the simulator's ledger, difference by difference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from opensqt.model.order import Fill

Row = Mapping[str, Any]
_CLOSED = frozenset({"FILLED", "CANCELED", "EXPIRED", "REJECTED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the market maker's store holds of one symbol at the end."""

    fills: Sequence[Fill]
    position: Decimal
    """Base coins, signed, over all slots."""
    live_orders: Sequence[str]
    """Client ids of the orders that it believes to be open or in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The ledger's figures, and all that the store sees otherwise."""

    figures: Mapping[str, Any]
    """The keys of the summary file; money as strings."""
    differences: Sequence[str]
    """Plain sentences; empty when the two match."""

    @property
    def matches(self) -> bool:
        """Whether ledger and store say the same, and nothing was sent twice."""
        return not self.differences


def compare(account: Row, kept: Kept, *, symbol: str, slots: Mapping[str, int]) -> Comparison:
    """Lay the store beside the account as the ledger has it.

    Args:
        account: One entry of the ledger's `accounts`.
        kept: The store.
        symbol: What the market maker traded.
        slots: Level of every client_order_id in the ledger that is the market maker's.
    """
    orders = [row for row in account["orders"] if row["symbol"] == symbol]
    fills = [row for row in account["fills"] if row["symbol"] == symbol]
    position = sum((Decimal(row["quantity"]) for row in account["positions"] if row["symbol"] == symbol), Decimal(0))
    open_orders = [row["client_order_id"] for row in orders if row["status"] not in _CLOSED]
    duplicates = list(account["duplicate_client_order_ids"]) + two_at_a_time(orders, slots)
    stored = {fill.trade_id: fill for fill in kept.fills}
    ours = {str(row["trade_id"]): row for row in fills if row["client_order_id"] in slots}
    missed = [trade_id for trade_id in ours if trade_id not in stored]
    differences = [
        *(f"order {name} was live twice" for name in duplicates),
        *(f"fill {trade_id} is in the ledger and not in the store" for trade_id in missed),
        *(f"fill {trade_id} is in the store and not in the ledger" for trade_id in stored if trade_id not in ours),
        *(text for trade_id, row in ours.items() if trade_id in stored for text in _unlike(row, stored[trade_id])),
        *(f"fill {row['trade_id']} is of no order of ours" for row in fills if str(row["trade_id"]) not in ours),
    ]
    if kept.position != position:
        differences.append(f"position: the ledger has {position}, the store {kept.position}")
    differences.extend(_live_apart(set(open_orders), set(kept.live_orders)))
    figures = {
        "orders_placed": len(orders),
        "fills": len(fills),
        "volume": _money(Decimal(row["price"]) * Decimal(row["quantity"]) for row in fills),
        "fees": _money(Decimal(row["fee"]) for row in fills),
        "realized_pnl": _money(Decimal(row["realized_pnl"]) for row in fills),
        "unrealized_pnl": str(account["unrealized_pnl"]),
        "position": f"{position.normalize():f}",
        "open_orders": len(open_orders),
        "duplicate_orders": len(duplicates),
        "missed_fills": len(missed),
        "ledger_matches": not differences,
    }
    return Comparison(figures=figures, differences=tuple(differences))


def two_at_a_time(orders: Iterable[Row], slots: Mapping[str, int]) -> list[str]:
    """Answer the orders that were accepted while another one of the same slot was still live.

    The ledger's orders stand in the order of their acceptance; an order ends at `updated_ms` once it is closed.
    """
    queues: dict[int, list[Row]] = defaultdict(list)
    for row in orders:
        level = slots.get(row["client_order_id"])
        if level is not None and row["status"] != "REJECTED":
            queues[level].append(row)
    return [
        later["client_order_id"]
        for rows in queues.values()
        for earlier, later in pairwise(rows)
        if earlier["status"] not in _CLOSED or int(earlier["updated_ms"]) > int(later["created_ms"])
    ]


def _unlike(row: Row, fill: Fill) -> list[str]:
    """The fields in which a fill differs between ledger and store."""
    pairs = {
        "side": (row["side"], fill.side.value),
        "client_order_id": (row["client_order_id"], fill.client_order_id),
        "price": (Decimal(row["price"]), fill.price),
        "quantity": (Decimal(row["quantity"]), fill.quantity),
        "fee": (Decimal(row["fee"]), fill.fee),
        "realized_pnl": (Decimal(row["realized_pnl"]), fill.realized_pnl),
    }
    return [
        f"fill {row['trade_id']}: {name}: the ledger has {theirs}, the store {ours}"
        for name, (theirs, ours) in pairs.items()
        if theirs != ours
    ]


def _live_apart(ledger: set[str], store: set[str]) -> list[str]:
    return [
        *(f"order {name} is open in the ledger and not in the store" for name in sorted(ledger - store)),
        *(f"order {name} is open in the store and not in the ledger" for name in sorted(store - ledger)),
    ]


def _money(amounts: Iterable[Decimal]) -> str:
    return f"{sum(amounts, Decimal(0)).normalize():f}"
