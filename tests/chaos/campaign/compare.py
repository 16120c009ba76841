"""What the venue's ledger, the store and the status of a market maker at rest must agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from opensqt.market_maker.orders.ids import OrderIds
from tests.service.grid_rig import SYMBOL, Ledger, plain

_EDGE = Decimal("0.1")
"""Part of an interval that an entry keeps from the price."""


def differences(
    ledger: Ledger, stored: list[tuple[str, ...]], status: Mapping[str, Any], trading: Mapping[str, str]
) -> list[str]:
    """Return every difference, as a sentence.

    Args:
        ledger: The venue's.
        stored: The fills in the market maker's database, as `store_fills` returns them.
        status: The market maker's /status.
        trading: Its settings; `price_interval`, `buy_window_size`, `sell_window_size` and `grid_mode` are read.
    """
    if not status:
        return ["the market maker does not respond"]
    return [
        *(f"problem: {problem}" for problem in status["problems"]),
        *_unknown(status),
        *_fills(ledger, stored, status),
        *_orders(ledger, status),
        *_wanted(status, trading),
    ]


def _unknown(status: Mapping[str, Any]) -> Iterator[str]:
    """What became of an order is asked until it is proven; a stop before that says so and ends with 1."""
    if asked := [slot["level"] for slot in status["slots"] if slot.get("state") == "PENDING"]:
        yield f"levels whose order is of unknown outcome: {asked}"


def _fills(ledger: Ledger, stored: list[tuple[str, ...]], status: Mapping[str, Any]) -> Iterator[str]:
    account, fills = ledger.account, ledger.fills()
    if duplicates := account["duplicate_client_order_ids"]:
        yield f"client order ids accepted twice: {duplicates}"
    for fill, times in Counter(stored).items():
        if times > 1:
            yield f"stored {times} times: {fill}"
    missed, invented = set(fills) - set(stored), set(stored) - set(fills)
    if missed:
        yield f"{len(missed)} fills are not stored: {sorted(missed)[:3]}"
    if invented:
        yield f"{len(invented)} stored fills are not the venue's: {sorted(invented)[:3]}"
    if Decimal(status["position"]) != ledger.position:
        yield f"position {status['position']}, the venue holds {plain(ledger.position)}"
    fees = sum((Decimal(fill["fee"]) for fill in account["fills"]), Decimal(0))
    if Decimal(status["fees"]) != fees:
        yield f"fees {status['fees']}, the venue took {plain(fees)}"
    realized = sum((Decimal(fill["realized_pnl"]) for fill in account["fills"]), Decimal(0))
    if abs(Decimal(status["realized_pnl"]) - realized) >= Decimal("0.005"):
        yield f"realized profit {status['realized_pnl']}, the venue says {plain(realized)}"
    if "profit" in status and isinstance(status["profit"], dict):
        yield from _funding(account, status["profit"])


def _funding(account: Mapping[str, Any], profit: Mapping[str, Any]) -> Iterator[str]:
    paid = Decimal(account["funding"])
    counted = Decimal(profit.get("funding", "0"))
    if abs(counted - paid) >= Decimal("0.005"):
        yield f"funding {plain(counted)}, the venue booked {plain(paid)}"


def _orders(ledger: Ledger, status: Mapping[str, Any]) -> Iterator[str]:
    ids = OrderIds(status["strategy_id"], SYMBOL)
    there = {order["client_order_id"]: order for order in ledger.open_orders}
    known = {order["client_order_id"] for order in status["open_orders"]}
    if orphans := there.keys() - known:
        yield f"orders at the venue that the market maker does not know: {sorted(orphans)}"
    if ghosts := known - there.keys():
        yield f"orders that are not at the venue: {sorted(ghosts)}"
    names = [ids.read(client_order_id) for client_order_id in there]
    if None in names:
        yield "an open order has an id that names no level"
    taken = Counter(name.level for name in names if name is not None)
    if doubled := [level for level, times in taken.items() if times > 1]:
        yield f"levels with two orders: {doubled}"


def _wanted(status: Mapping[str, Any], trading: Mapping[str, str]) -> Iterator[str]:
    """Compare the open orders with PARITY's rules, written here a second time and without the program's code.

    A long grid buys at empty levels of the window and sells what a level holds one level higher; a short grid is its
    mirror image, so prices, levels and quantities are negated.
    """
    mode = trading.get("grid_mode", "long")
    if mode not in ("long", "short") or status["price"] is None:
        return
    mirror = 1 if mode == "long" else -1
    interval = Decimal(trading["price_interval"])
    anchor, price = mirror * Decimal(status["anchor"]), mirror * Decimal(status["price"])
    entry_window = int(trading.get("buy_window_size", "10"))
    exit_window = int(trading.get("sell_window_size", "10"))
    if mode == "short":
        entry_window, exit_window = exit_window, entry_window
    centre = int(((price - anchor) / interval).to_integral_value(ROUND_HALF_UP))
    held = {mirror * slot["level"]: mirror * Decimal(slot["quantity"]) for slot in status["slots"]}
    entry, leave = ("BUY", "SELL") if mode == "long" else ("SELL", "BUY")
    entries = {mirror * order["level"] for order in status["open_orders"] if order["side"] == entry}
    exits = {
        mirror * order["level"]: Decimal(order["quantity"]) - Decimal(order["filled_quantity"])
        for order in status["open_orders"]
        if order["side"] == leave
    }
    window = range(centre, centre - entry_window, -1)
    wanted = {
        level for level in window if anchor + level * interval < price - _EDGE * interval and not held.get(level, 0)
    }
    if missing := wanted - entries:
        yield f"levels without their entry: {sorted(missing)}, price {status['price']}"
    # The furthest entry is cancelled half an interval late.
    if spare := {level for level in entries - wanted if level not in (window[-1] - 1, centre, centre + 1)}:
        yield f"entries that nobody wants: {sorted(spare)}, price {status['price']}"
    for level, quantity in held.items():
        offered = quantity > 0 and anchor + level * interval <= price + exit_window * interval
        if offered and exits.get(level) != quantity:
            yield f"level {level} holds {quantity} and offers {exits.get(level)}"
    if naked := [level for level in exits if not held.get(level, 0)]:
        yield f"exits of levels that hold nothing: {naked}"
