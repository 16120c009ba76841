"""Comparison of the market maker's store with the simulator's ledger at the end of a demo."""

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
class StoredResult:
    """The market maker's store for one symbol at the end."""

    fills: Sequence[Fill]
    position: Decimal
    """Base coins, signed, over all slots."""
    live_orders: Sequence[str]
    """Client ids of the orders that the store holds as open or in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The ledger's result, and every difference of the store from it."""

    summary: Mapping[str, Any]
    """Keys and values of the summary file; money as strings."""
    differences: Sequence[str]
    """Sentences; empty when the two match."""

    @property
    def matches(self) -> bool:
        """Whether ledger and store agree, and no order was sent twice."""
        return not self.differences


def compare(account: Row, stored: StoredResult, *, symbol: str, slots: Mapping[str, int]) -> Comparison:
    """Compare the store with the account in the ledger.

    Args:
        account: One entry of the ledger's `accounts`.
        stored: The market maker's store.
        symbol: The symbol that the market maker traded.
        slots: Level by client_order_id, for the market maker's orders in the ledger.
    """
    orders = [row for row in account["orders"] if row["symbol"] == symbol]
    fills = [row for row in account["fills"] if row["symbol"] == symbol]
    position = sum((Decimal(row["quantity"]) for row in account["positions"] if row["symbol"] == symbol), Decimal(0))
    open_orders = [row["client_order_id"] for row in orders if row["status"] not in _CLOSED]
    duplicates = list(account["duplicate_client_order_ids"]) + overlapping_orders(orders, slots)
    stored_fills = {fill.trade_id: fill for fill in stored.fills}
    ledger_fills = {str(row["trade_id"]): row for row in fills if row["client_order_id"] in slots}
    missed = [trade_id for trade_id in ledger_fills if trade_id not in stored_fills]
    differences = [
        *(f"order {name} was live twice" for name in duplicates),
        *(f"fill {trade_id} is in the ledger and not in the store" for trade_id in missed),
        *(f"fill {trade_id} is in the store and not in the ledger" for trade_id in stored_fills.keys() - ledger_fills),
        *(
            text
            for trade_id, row in ledger_fills.items()
            if trade_id in stored_fills
            for text in _differing_fields(row, stored_fills[trade_id])
        ),
        *(
            f"fill {row['trade_id']} belongs to no order of the market maker"
            for row in fills
            if str(row["trade_id"]) not in ledger_fills
        ),
    ]
    if stored.position != position:
        differences.append(f"position: the ledger has {position}, the store {stored.position}")
    differences.extend(_open_mismatch(set(open_orders), set(stored.live_orders)))
    summary = {
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
    return Comparison(summary=summary, differences=tuple(differences))


def overlapping_orders(orders: Iterable[Row], slots: Mapping[str, int]) -> list[str]:
    """Return the ids of the orders that were accepted while another order of the same slot was still live.

    The ledger lists orders by their acceptance; an order ends at `updated_ms` once it is closed.
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


def _differing_fields(row: Row, fill: Fill) -> list[str]:
    """Return one sentence for each field in which a fill differs between ledger and store."""
    pairs = {
        "side": (row["side"], fill.side.value),
        "client_order_id": (row["client_order_id"], fill.client_order_id),
        "price": (Decimal(row["price"]), fill.price),
        "quantity": (Decimal(row["quantity"]), fill.quantity),
        "fee": (Decimal(row["fee"]), fill.fee),
        "realized_pnl": (Decimal(row["realized_pnl"]), fill.realized_pnl),
    }
    return [
        f"fill {row['trade_id']}: {name}: the ledger has {ledger_value}, the store {stored_value}"
        for name, (ledger_value, stored_value) in pairs.items()
        if ledger_value != stored_value
    ]


def _open_mismatch(ledger: set[str], store: set[str]) -> list[str]:
    return [
        *(f"order {name} is open in the ledger and not in the store" for name in sorted(ledger - store)),
        *(f"order {name} is open in the store and not in the ledger" for name in sorted(store - ledger)),
    ]


def _money(amounts: Iterable[Decimal]) -> str:
    return f"{sum(amounts, Decimal(0)).normalize():f}"
