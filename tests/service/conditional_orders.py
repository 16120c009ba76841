"""Moves of the simulated market that trigger conditional orders, and what the ledger says of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.model.order import Side
from opensqt.simulator import Simulator

BTC = "BTCUSDT"


def still(simulator: Simulator) -> None:
    """Let nobody else trade."""
    for rules in simulator.engine.symbols():
        simulator.market.pause(rules.symbol)


def level(simulator: Simulator, side: Side, number: int) -> Decimal:
    """The price of one of the book's levels, the best one is 0."""
    book = simulator.engine.book(BTC, 16)
    return (book.bids if side is Side.BUY else book.asks)[number][0]


def take(simulator: Simulator, side: Side, levels: int) -> None:
    """Let an outside participant take so many levels: the last print is at the last one of them."""
    book = simulator.engine.book(BTC, levels)
    found = book.asks if side is Side.BUY else book.bids
    simulator.market.send_outside_order(BTC, side, sum((quantity for _, quantity in found), Decimal(0)))


def conditional(simulator: Simulator) -> list[dict[str, Any]]:
    """The conditional orders in the ledger."""
    listed: list[dict[str, Any]] = simulator.ledger()["accounts"]["sim-key"]["conditional_orders"]
    return listed


def position(simulator: Simulator) -> Decimal:
    return simulator.engine.positions("sim-key", BTC)[0].quantity
