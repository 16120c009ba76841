"""What the venue's ledger, the store and the status of a market maker at rest must agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from opensqt.market_maker.orders.ids import OrderIds
from tests.chaos.campaign.wanted import Rules, held_by_level, unwanted_or_missing, working
from tests.service import profit_rig
from tests.service.grid_rig import SYMBOL, Ledger, plain


def differences(
    ledger: Ledger, stored: list[tuple[str, ...]], status: Mapping[str, Any], trading: Mapping[str, str]
) -> list[str]:
    """Return every difference, as a sentence.

    Args:
        ledger: The venue's.
        stored: The fills in the market maker's database, as `store_fills` returns them.
        status: The market maker's /status.
        trading: Its settings.
    """
    if not status:
        return ["the market maker does not respond"]
    return [
        *(f"problem: {problem}" for problem in status["problems"]),
        *_unknown(status),
        *_fills(ledger, stored),
        *_profit(ledger, status),
        *_levels(ledger, status),
        *_orders(ledger, status),
        *_wanted(ledger, status, trading),
    ]


def orphans(ledger: Ledger, status: Mapping[str, Any]) -> set[str]:
    """Return the orders at the venue that the market maker does not know."""
    known = {order["client_order_id"] for order in status.get("open_orders", ())}
    return {order["client_order_id"] for order in ledger.open_orders} - known


def _unknown(status: Mapping[str, Any]) -> Iterator[str]:
    """What became of an order is asked until it is proven; a stop before that says so and ends with 1."""
    if asked := [slot["level"] for slot in status["slots"] if slot.get("state") == "PENDING"]:
        yield f"levels whose order is of unknown outcome: {asked}"


def _fills(ledger: Ledger, stored: list[tuple[str, ...]]) -> Iterator[str]:
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
    if takers := [fill["trade_id"] for fill in account["fills"] if not fill["is_maker"]]:
        yield f"fills that took liquidity: {takers}"


def _profit(ledger: Ledger, status: Mapping[str, Any]) -> Iterator[str]:
    """Position, fees, funding, realized and open profit, and their sum, which is the change of the equity."""
    if not status["profit"] or "total" not in status["profit"]:
        yield "no profit is reported"
        return
    for part, difference in profit_rig.differences(dict(status), ledger).items():
        if abs(difference) >= profit_rig.EXACT:
            yield f"{part} differs by {plain(difference)} from the ledger"
    if Decimal(status["position"]) != ledger.position:
        yield f"position {status['position']}, the venue holds {plain(ledger.position)}"
    if Decimal(status["fees"]) != Decimal(ledger.account["fees"]):
        yield f"fees {status['fees']}, the venue took {ledger.account['fees']}"


def _levels(ledger: Ledger, status: Mapping[str, Any]) -> Iterator[str]:
    held = held_by_level(ledger.account["fills"], status["strategy_id"])
    slots = {slot["level"]: Decimal(slot["quantity"]) for slot in status["slots"] if Decimal(slot["quantity"])}
    for level in sorted(held.keys() | slots.keys()):
        if held.get(level) != slots.get(level):
            yield f"level {level} holds {held.get(level, 0)} by its fills, the market maker says {slots.get(level, 0)}"


def _orders(ledger: Ledger, status: Mapping[str, Any]) -> Iterator[str]:
    ids = OrderIds(status["strategy_id"], SYMBOL)
    there = {order["client_order_id"]: order for order in ledger.open_orders}
    known = {order["client_order_id"] for order in status["open_orders"]}
    if unknown := orphans(ledger, status):
        yield f"orders at the venue that the market maker does not know: {sorted(unknown)}"
    if ghosts := known - there.keys():
        yield f"orders that are not at the venue: {sorted(ghosts)}"
    names = [ids.read(client_order_id) for client_order_id in there]
    if None in names:
        yield "an open order has an id that names no level"
    taken = Counter(name.level for name in names if name is not None)
    if doubled := [level for level, times in taken.items() if times > 1]:
        yield f"levels with two orders: {doubled}"


def _wanted(ledger: Ledger, status: Mapping[str, Any], trading: Mapping[str, str]) -> Iterator[str]:
    if status["price"] is None or status["anchor"] is None:
        yield "the market maker has no price"
        return
    rules, name = Rules.of(status, trading), status["strategy_id"]
    price, mark = Decimal(status["price"]), ledger.sim.engine.mark(SYMBOL).mark_price
    if abs(price - mark) > max(2 * rules.interval, mark / 500):
        yield f"the price {plain(price)} is far from the market's {plain(mark)}"
    held = held_by_level(ledger.account["fills"], name)
    yield from unwanted_or_missing(rules, price, held, working(ledger.open_orders, name))
