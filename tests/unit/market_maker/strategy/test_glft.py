"""The closed form of Guéant, Lehalle and Fernandez-Tapia against one that is written apart from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.strategy.glft import GlftParameters, GlftQuoter
from opensqt.market_maker.strategy.grid.geometry import Grid
from opensqt.market_maker.strategy.grid.settings import GridMode, GridSettings
from opensqt.market_maker.strategy.quoter import MarketState
from opensqt.model.order import Side
from tests.unit.market_maker.venue import RULES

SETTINGS = GridSettings(
    order_quantity=Decimal(30),
    min_order_value=Decimal(6),
    buy_window=1,
    sell_window=1,
    max_open_orders=12,
    cleanup_batch=3,
    mode=GridMode.NEUTRAL,
)
GRID = Grid(anchor=Decimal(1000), interval=Decimal("0.5"))
MARKET = MarketState(bid=Decimal("999.9"), ask=Decimal("1000.1"), reference=Decimal(1000))


@dataclass
class Held:
    """An inventory by hand."""

    slots: dict[int, Slot] = field(default_factory=dict)
    cost: Decimal = Decimal(0)

    @property
    def position(self) -> Decimal:
        return sum((slot.quantity for slot in self.slots.values()), Decimal(0))


def parameters(arrivals: str, decay: str, volatility: str, risk_aversion: str) -> GlftParameters:
    return GlftParameters(
        arrivals=Decimal(arrivals),
        decay=Decimal(decay),
        volatility=Decimal(volatility),
        risk_aversion=Decimal(risk_aversion),
        most_lots=3,
    )


def reference_distances(a: float, k: float, sigma: float, gamma: float, q: float) -> tuple[float, float]:
    """Distance of bid and ask from the reference, as equations (4.6) and (4.7) of the paper have them."""
    base = math.log1p(gamma / k) / gamma
    root = sigma * math.sqrt(gamma / (2 * k * a) * math.exp((1 + k / gamma) * math.log1p(gamma / k)))
    return base + (2 * q + 1) / 2 * root, base - (2 * q - 1) / 2 * root


@pytest.mark.parametrize("lots", [-3, -1, 0, 1, 2.5])
@pytest.mark.parametrize(
    "values", [("0.9", "0.3", "0.5", "0.01"), ("5", "0.05", "12", "0.001"), ("0.02", "2", "0.1", "0.5")]
)
def test_both_quotes_are_those_of_the_closed_form(values: tuple[str, str, str, str], lots: float) -> None:
    """To 1e-9 of the price, for wide and narrow markets and any inventory."""
    quoter = GlftQuoter(GRID, SETTINGS, RULES, parameters(*values))
    bid, ask = quoter.quotes(Decimal(1000), Decimal(str(lots)))
    under, over = reference_distances(*(float(value) for value in values), lots)
    assert float(1000 - bid) == pytest.approx(under, rel=1e-9, abs=1e-9)
    assert float(ask - 1000) == pytest.approx(over, rel=1e-9, abs=1e-9)


def test_inventory_moves_both_quotes_down_and_nothing_is_bid_over_the_reference() -> None:
    quoter = GlftQuoter(GRID, SETTINGS, RULES, parameters("0.9", "0.3", "0.5", "0.05"))
    flat = quoter.frame(MARKET, Held())
    slots = {-4: Slot(level=-4, quantity=Decimal("0.03"), cost=Decimal(30))}
    long = quoter.frame(MARKET, Held(slots))
    assert long.bids[0] <= flat.bids[0]
    assert not long.asks, "what is held is offered in place of a new short"
    assert dict(long.closing)[-4] >= MARKET.reference
    assert GRID.price_of(flat.bids[0]) <= MARKET.reference <= GRID.price_of(flat.asks[0])


def test_no_more_than_the_most_lots_are_opened() -> None:
    quoter = GlftQuoter(GRID, SETTINGS, RULES, parameters("0.9", "0.3", "0.5", "0.05"))
    held = {level: Slot(level=level, quantity=Decimal("0.03"), cost=Decimal(30)) for level in (-4, -5, -6)}
    assert not quoter.frame(MARKET, Held(held)).bids


def test_what_is_held_is_closed_at_the_ask() -> None:
    quoter = GlftQuoter(GRID, SETTINGS, RULES, parameters("0.9", "0.3", "0.5", "0.05"))
    slot = Slot(level=-4, quantity=Decimal("0.03"), cost=Decimal(30))
    frame = quoter.frame(MARKET, Held({-4: slot}))
    target = quoter.quote(frame, -4, slot, at_touch=False)
    assert target is not None
    assert (target.side, target.quantity, target.closes) == (Side.SELL, Decimal("0.03"), True)
    assert target.price == dict(frame.closing)[-4]
