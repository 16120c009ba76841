"""The sums of the live entries, beside the entries themselves."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from opensqt.market_maker.entry_limits import follow_entries
from opensqt.market_maker.orders.events import AccountUpdate
from opensqt.market_maker.risk import exposure
from opensqt.market_maker.risk.controls import RiskControls
from opensqt.market_maker.risk.exposure import AccountExposure, Held
from opensqt.market_maker.risk.live_entries import LiveEntries, LiveEntry
from opensqt.market_maker.risk.settings import ExposureLimits, RiskLimits
from opensqt.model.account import Account
from opensqt.model.order import Side
from tests.unit.market_maker.venue import SYMBOL, Bench

PRICE = Decimal(1000)
ACCOUNT = AccountExposure()


class Counted(LiveEntry):
    """An entry that counts how often its value is asked for, of all entries together."""

    __slots__ = ()
    looks: ClassVar[list[int]] = []

    def value(self, price: Decimal) -> Decimal:
        self.looks.append(self.level)
        return super().value(price)


def entry(level: int, *, number: int = 0, outstanding: str = "0.03", cancellable: bool = True) -> LiveEntry:
    return LiveEntry(
        client_order_id=f"id{level}.{number}",
        level=level,
        price=PRICE + Decimal("10.1") * level,
        outstanding=Decimal(outstanding),
        cancellable=cancellable,
    )


drawn = st.builds(
    entry,
    st.integers(-20, 20),
    number=st.integers(0, 1),
    outstanding=st.decimals("0", "0.1", places=3).map(str),
    cancellable=st.booleans(),
)
changes = st.lists(st.tuples(st.integers(-20, 20), st.lists(drawn, max_size=2)), max_size=40)


@given(changes, st.decimals("800", "1200", places=1), st.integers(0, 3000), st.integers(0, 1000))
def test_a_limit_allows_the_same_by_the_sums_as_by_all_entries(
    done: list[tuple[int, list[LiveEntry]]], price: Decimal, most: int, position: int
) -> None:
    """F5: whatever was placed, filled and cancelled before, and wherever the price is."""
    levels: dict[int, dict[str, LiveEntry]] = {}
    live = LiveEntries()
    for level, drawn_entries in done:
        levels[level] = {one.client_order_id: one for one in drawn_entries if one.level == level}
        live.set_level(level, tuple(levels[level].values()))
    entries = [one for of_level in levels.values() for one in of_level.values()]
    held = Held(
        position=Decimal(position) / 1000,
        price=price,
        levels=frozenset(),
        entries=entries,
        entry_value=Decimal(31),
    )
    assert live.value(price) == sum((one.value(price) for one in entries), Decimal(0))
    kept, others = live.split(price, most - held.position * price)
    by_sums = Held(
        position=held.position,
        price=price,
        levels=frozenset(),
        entries=others,
        entry_value=held.entry_value,
        kept_value=kept,
    )
    limits = ExposureLimits(quote_total=Decimal(most))
    expected = exposure.allow({Side.BUY: held}, limits, ACCOUNT)[Side.BUY]
    found = exposure.allow({Side.BUY: by_sums}, limits, ACCOUNT)[Side.BUY]
    assert (found.new, found.reason, len(found.beyond)) == (expected.new, expected.reason, len(expected.beyond))


def test_near_a_limit_only_those_are_looked_at_that_may_be_beyond_it() -> None:
    """F5: with 2,000 entries within the limit none is looked at, and with two beyond it a handful."""
    live = LiveEntries(
        Counted(
            client_order_id=f"id{level}",
            level=level,
            price=PRICE + level,
            outstanding=Decimal("0.03"),
            cancellable=True,
        )
        for level in range(-2000, 0)
    )
    worth = live.value(PRICE)
    assert live.split(PRICE, worth) == (worth, [])
    assert Counted.looks == []
    kept, others = live.split(PRICE, worth - 50)
    assert (kept, [one.level for one in others]) == (worth - 60, [-1999, -2000])
    assert Counted.looks == [-2000, -1999]


def test_the_engine_follows_its_entries_over_fills_and_cancels() -> None:
    """F5: near a limit the sums are those of the orders, after each move, fill and cancel."""
    risk = RiskControls(RiskLimits(exposure=ExposureLimits(quote_total=Decimal(140))), symbol=SYMBOL)
    bench = Bench(risk=risk)
    wealth = Account(
        asset="USDT", wallet_balance=Decimal(1000), unrealized_pnl=Decimal(0), available_balance=Decimal(1000)
    )
    bench.tell(AccountUpdate(wealth, 0))
    bench.start()
    for at in ("985", "991", "972", "1013", "1041", "1007"):
        for order in list(bench.venue.open_orders):
            if order.price is not None and (Decimal(at) - order.price) * order.side.sign < 0:
                bench.venue.fill(order.client_order_id)
        bench.move(at)
        worth = sum(
            order.remaining_quantity * max(order.price or PRICE, Decimal(at))
            for order in bench.venue.open_orders
            if order.side is Side.BUY
        )
        assert follow_entries(risk, bench.engine.state)[Side.BUY].value(Decimal(at)) == worth
        assert bench.engine.state.position * Decimal(at) + worth <= 140
