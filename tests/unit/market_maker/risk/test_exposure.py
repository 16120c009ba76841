"""The limits on what is held: no set of fills breaks one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opensqt.market_maker.risk import exposure
from opensqt.market_maker.risk.exposure import AccountExposure, Allowance, Held, value_limit
from opensqt.market_maker.risk.live_entries import LiveEntry
from opensqt.market_maker.risk.settings import ExposureLimits
from opensqt.model.order import Side

ACCOUNT = AccountExposure(wallet=Decimal(1000))
HELD = Held(position=Decimal(0), price=Decimal(1000), levels=frozenset(), entries=(), entry_value=Decimal(31))


def allow(held: Held, limits: ExposureLimits, account: AccountExposure) -> Allowance:
    return exposure.allow({Side.BUY: held}, limits, account)[Side.BUY]


def entry(level: int, *, outstanding: str = "0.03", cancellable: bool = True) -> LiveEntry:
    return LiveEntry(
        client_order_id=f"id{level}",
        level=level,
        price=Decimal(1000 + 10 * level),
        outstanding=Decimal(outstanding),
        cancellable=cancellable,
    )


@pytest.mark.parametrize(
    ("limits", "others", "most", "name"),
    [
        (ExposureLimits(), 0, None, ""),
        (ExposureLimits(wallet_symbol=Decimal(2)), 500, Decimal(2000), "wallet_exposure_limit 2"),
        (ExposureLimits(wallet_total=Decimal(2)), 500, Decimal(1500), "wallet_exposure_limit_total 2"),
        (ExposureLimits(quote_total=Decimal(700)), 500, Decimal(200), "exposure_limit 700"),
        (ExposureLimits(quote_total=Decimal(400)), 500, Decimal(0), "exposure_limit 400"),
        (ExposureLimits(wallet_symbol=Decimal(1), quote_total=Decimal(700)), 0, Decimal(700), "exposure_limit 700"),
    ],
)
def test_the_narrowest_limit_counts(limits: ExposureLimits, others: int, most: Decimal | None, name: str) -> None:
    assert value_limit(limits, replace(ACCOUNT, others=Decimal(others))) == (most, name)


def test_entries_are_cut_in_number() -> None:
    """Two live entries of 30 leave room for two more of at most 31 below 130."""
    held = replace(HELD, entries=(entry(-1), entry(-2)))
    assert allow(held, ExposureLimits(quote_total=Decimal(130)), ACCOUNT).new == 2
    assert allow(held, ExposureLimits(quote_total=Decimal(130)), ACCOUNT).reason == ""


def test_live_entries_beyond_the_limit_go_and_the_furthest_first() -> None:
    held = replace(HELD, entries=(entry(-3), entry(-1), entry(-2)))
    allowance = allow(held, ExposureLimits(quote_total=Decimal(40)), ACCOUNT)
    assert allowance == Allowance(
        new=0, beyond=("id-3", "id-2"), reason="exposure_limit 40: 40.00 quote in this symbol"
    )


def test_an_entry_that_can_t_be_cancelled_counts_before_all_others() -> None:
    held = replace(HELD, entries=(entry(-1), entry(-5, cancellable=False)))
    assert allow(held, ExposureLimits(quote_total=Decimal(40)), ACCOUNT).beyond == ("id-1",)


def test_a_fill_that_is_not_counted_yet_is_exposure() -> None:
    """F5: the order is closed, its fill is on its way, and its room is not given to another one."""
    held = replace(HELD, entries=(entry(-1, outstanding="0.03", cancellable=False),))
    assert allow(held, ExposureLimits(quote_total=Decimal(60)), ACCOUNT).new == 0


def test_levels_held_and_levels_with_an_entry_count_once() -> None:
    held = replace(HELD, levels=frozenset({1, 2, 3}), entries=(entry(3), entry(-1)))
    assert allow(held, ExposureLimits(levels=5), ACCOUNT).new == 1
    assert allow(held, ExposureLimits(levels=4), ACCOUNT) == Allowance(new=0, reason="max_levels_held 4")
    assert allow(held, ExposureLimits(levels=3), ACCOUNT).beyond == ("id-1",)


def test_without_a_known_wallet_the_limits_in_quote_hold() -> None:
    limits = ExposureLimits(wallet_symbol=Decimal(1), quote_total=Decimal(100))
    assert value_limit(limits, AccountExposure()) == (Decimal(100), "exposure_limit 100")


entries_of_a_grid = st.lists(
    st.builds(
        entry,
        st.integers(-50, -1),
        outstanding=st.decimals("0.001", "0.1", places=3).map(str),
        cancellable=st.booleans(),
    ),
    max_size=20,
    unique_by=lambda one: one.level,
)


@given(
    entries=entries_of_a_grid,
    position=st.decimals("0", "1", places=3),
    most=st.integers(1, 2000),
    levels=st.integers(0, 30),
    held=st.frozensets(st.integers(-50, 50), max_size=20),
)
def test_all_fills_of_what_is_kept_and_added_stay_within_the_limits(
    entries: list[LiveEntry], position: Decimal, most: int, levels: int, held: frozenset[int]
) -> None:
    """F5: whatever is kept and cancellable, with every new entry filled, breaks no limit that was not broken before."""
    limits = ExposureLimits(quote_total=Decimal(most), levels=levels)
    start = replace(HELD, entries=entries, position=position, levels=held)
    allowance = allow(start, limits, ACCOUNT)
    assert allowance.new is not None
    kept = [one for one in entries if one.client_order_id not in allowance.beyond]
    fixed = [one for one in entries if not one.cancellable]
    least = (position + sum((one.outstanding for one in fixed), Decimal(0))) * start.price
    value = (position + sum((one.outstanding for one in kept), Decimal(0))) * start.price
    assert value + allowance.new * start.entry_value <= max(Decimal(most), least)
    if levels:
        count = len(held | {one.level for one in kept})
        assert count + allowance.new <= max(levels, len(held | {one.level for one in fixed}))


def test_two_sides_share_the_cap_on_levels() -> None:
    """What one side adds is not there for the other; otherwise both would be cancelled again, for ever."""
    buys, sells = replace(HELD, entries=(entry(-1),)), replace(HELD, entries=(entry(1),))
    both = exposure.allow({Side.BUY: buys, Side.SELL: sells}, ExposureLimits(levels=5), ACCOUNT)
    assert {side: each.new for side, each in both.items()} == {Side.BUY: 2, Side.SELL: 1}
    full = exposure.allow({Side.BUY: buys, Side.SELL: sells}, ExposureLimits(levels=2), ACCOUNT)
    assert [each.beyond for each in full.values()] == [(), ()]
    assert [each.new for each in full.values()] == [0, 0]
