"""Changes of leverage, margin mode and position mode on every venue: sent once, proven by a query, never overtaken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from opensqt.model import client_order_id
from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.errors import OutcomeUnknown, RateLimited, SettingRefused
from opensqt.model.order import AmendRequest, Order, OrderRef, OrderType, PositionSide, Side
from opensqt.model.venue import MarginModeScope
from opensqt.simulator.engine.events import Event, OrderChanged, SettingsChanged
from opensqt.simulator.engine.order import NewOrder
from opensqt.venues.factory import venue_type
from tests.chaos.adapter_rig import LOST_REPLIES, LOT, SYMBOL, Adapter, Rig
from tests.support import eventually

SOON = {"request_timeout_s": 1.0, "visibility_margin_s": 0.5}
"""A request that is not answered fails soon, and a query counts as true soon."""


def scope_of(rig: Rig) -> str:
    """The symbol that a margin mode is set for; empty where it is the account's."""
    scope = rig.exchange.venue.capabilities.margin_mode_scope
    if scope is MarginModeScope.NONE:
        pytest.skip("capability: the venue has no margin mode to set")
    return SYMBOL if scope is MarginModeScope.SYMBOL else ""


def recorded(rig: Rig) -> list[Event]:
    """A list that the events of the simulator's engine are added to."""
    events: list[Event] = []
    rig.simulator.engine.subscribe(events.append)
    return events


def requests_for(rig: Rig, operation: str) -> int:
    """How often the venue was asked for something."""
    return int(rig.simulator.ledger()["statistics"]["requests"].get(operation, 0))


async def asked_for(rig: Rig, operation: str, before: int) -> None:
    """Wait until the next such request has reached the venue."""
    await eventually(lambda: requests_for(rig, operation) > before, what=f"a request for {operation}")


def mode_query(rig: Rig) -> str:
    """The query that shows the position mode, which comes first when it is switched."""
    return {"bitget": "account", "gate": "account", "bybit": "positions"}.get(rig.exchange.name, "settings")


def changes_of(events: list[Event]) -> list[int]:
    return [one.leverage for one in events if isinstance(one, SettingsChanged) and one.symbol == SYMBOL]


def kinds_of(events: list[Event], order: Order) -> list[type[Event]]:
    """The kinds of the changes of the symbol's settings and of an order, in their order."""
    return [
        type(one)
        for one in events
        if (isinstance(one, SettingsChanged) and one.symbol == SYMBOL)
        or (isinstance(one, OrderChanged) and one.order.order_id == order.order_id)
    ]


@pytest.mark.parametrize("fault", LOST_REPLIES[:3], ids=lambda fault: fault["kind"])
async def test_a_change_whose_reply_is_lost_is_proven_by_a_query_and_sent_once(
    adapter: Adapter, fault: dict[str, Any]
) -> None:
    """F21: it was executed, so the answer is the leverage; a second request would be a blind retry."""
    async with adapter(**SOON) as rig:
        events = recorded(rig)
        rig.fault(on="settings", **fault)
        # A venue may be asked for the margin mode first; only the change is lost.
        assert await rig.exchange.set_leverage(SYMBOL, 17) == 17
        assert changes_of(events) == [17]


async def test_a_change_that_never_arrived_is_unknown_and_is_not_sent_again(adapter: Adapter) -> None:
    """F21: no answer, and the old leverage in every query: that proves nothing, for it may still be executed."""
    async with adapter(**SOON) as rig:
        events = recorded(rig)
        before = rig.simulator.engine.leverage("sim-key", SYMBOL)
        rig.fault(kind="error_before", on="settings", status=502)
        with pytest.raises(OutcomeUnknown, match=f"still has {before}"):
            await rig.exchange.set_leverage(SYMBOL, 17)
        assert changes_of(events) == []
        assert await rig.exchange.set_leverage(SYMBOL, 17) == 17


async def test_a_change_that_the_venue_acknowledges_and_ignores_is_refused(adapter: Adapter) -> None:
    """F21: the venue has another leverage than the one that it acknowledged."""
    async with adapter(**SOON) as rig:
        rig.fault(kind="ignore", on="settings", times=3)
        with pytest.raises(SettingRefused, match="accepted it and has 10"):
            await rig.exchange.set_leverage(SYMBOL, 17)


async def test_an_order_never_overtakes_a_change_of_its_leverage(adapter: Adapter) -> None:
    """F21: an order that is placed while the leverage changes is carried with the new one."""
    async with adapter() as rig:
        events = recorded(rig)
        price, before = await rig.far(), requests_for(rig, "settings")
        rig.fault(kind="delay", on="settings", delay_ms=400, times=1)
        changing = asyncio.create_task(rig.exchange.set_leverage(SYMBOL, 17))
        await asked_for(rig, "settings", before)
        order = await rig.exchange.place_order(rig.request(price=price))
        assert await changing == 17
        assert kinds_of(events, order) == [SettingsChanged, OrderChanged]


async def test_an_amendment_never_overtakes_a_change_of_its_leverage(adapter: Adapter) -> None:
    """F21: what is amended while the leverage changes is carried with the new one."""
    async with adapter() as rig:
        if not rig.exchange.venue.capabilities.amend_order:
            pytest.skip("capability: the venue amends no order in place")
        order = await rig.exchange.place_order(rig.request(price=await rig.far()))
        assert order.price is not None
        events, before = recorded(rig), requests_for(rig, "settings")
        rig.fault(kind="delay", on="settings", delay_ms=400, times=1)
        changing = asyncio.create_task(rig.exchange.set_leverage(SYMBOL, 17))
        await asked_for(rig, "settings", before)
        ref = OrderRef(symbol=SYMBOL, order_id=order.order_id)
        amendment = AmendRequest(order=ref, amend_id=client_order_id.new("am"), price=order.price - 1)
        amended = await rig.exchange.amend_order(amendment)
        assert (await changing, amended.price) == (17, order.price - 1)
        assert kinds_of(events, order) == [SettingsChanged, OrderChanged]


async def test_a_change_waits_for_the_orders_that_are_on_their_way(adapter: Adapter) -> None:
    """F21: an order that left before the change is accepted before it."""
    async with adapter() as rig:
        events = recorded(rig)
        price, before = await rig.far(), requests_for(rig, "place_order")
        rig.fault(kind="delay", on="place_order", delay_ms=400, times=1)
        placing = asyncio.create_task(rig.exchange.place_order(rig.request(price=price)))
        await asked_for(rig, "place_order", before)
        await rig.exchange.set_leverage(SYMBOL, 17)
        order = await placing
        first = next(
            one
            for one in events
            if isinstance(one, SettingsChanged)
            or (isinstance(one, OrderChanged) and one.order.client_order_id == order.client_order_id)
        )
        assert isinstance(first, OrderChanged)


async def test_changes_of_two_callers_are_made_one_after_the_other(adapter: Adapter) -> None:
    """F21: each caller is answered its own leverage, and the last one stays."""
    async with adapter() as rig:
        answers = await asyncio.gather(*(rig.exchange.set_leverage(SYMBOL, wanted) for wanted in (3, 7, 5)))
        assert answers == [3, 7, 5]
        assert rig.simulator.engine.leverage("sim-key", SYMBOL) == 5


async def test_a_change_goes_on_when_its_caller_is_gone(adapter: Adapter) -> None:
    """F21: it may be executed, so no order may overtake it."""
    async with adapter() as rig:
        events, before = recorded(rig), requests_for(rig, "settings")
        rig.fault(kind="delay", on="settings", delay_ms=400, times=1)
        changing = asyncio.create_task(rig.exchange.set_leverage(SYMBOL, 17))
        await asked_for(rig, "settings", before)
        changing.cancel()
        order = await rig.exchange.place_order(rig.request(price=await rig.far()))
        assert rig.simulator.engine.leverage("sim-key", SYMBOL) == 17
        assert changes_of(events) == [17]
        assert order.order_id


async def test_a_mode_that_the_venue_refuses_is_refused_with_its_reason(adapter: Adapter) -> None:
    """F20: another program opened something after it was looked at, so that only the venue can refuse."""
    async with adapter() as rig:
        rig.fault(kind="hide_orders", for_ms=600_000)
        foreign = NewOrder(symbol=SYMBOL, side=Side.BUY, quantity=LOT, price=await rig.far())
        rig.simulator.engine.place("sim-key", foreign)
        with pytest.raises(SettingRefused, match="position mode HEDGE: ") as refused:
            await rig.exchange.set_position_mode(PositionMode.HEDGE)
        assert refused.value.venue_code in venue_type(rig.simulator.settings.exchange).codes
        assert rig.simulator.engine.position_mode("sim-key") is PositionMode.ONE_WAY
        symbol = scope_of(rig)
        with pytest.raises(SettingRefused, match="margin mode of"):
            await rig.exchange.set_margin_mode(symbol, MarginMode.ISOLATED)
        assert rig.simulator.engine.margin_mode("sim-key", SYMBOL) is MarginMode.CROSS


async def test_a_rate_limit_is_told_and_nothing_was_changed(adapter: Adapter) -> None:
    """F16: a limit is waited for, never forced."""
    async with adapter(**SOON) as rig:
        events = recorded(rig)
        rig.fault(kind="rate_limited", on="settings", times=1, retry_after_s=1)
        with pytest.raises(RateLimited):
            await rig.exchange.set_leverage(SYMBOL, 17)
        assert changes_of(events) == []


async def test_an_order_that_waited_for_another_position_mode_is_denied(adapter: Adapter) -> None:
    """F20: it was made for one-way mode, and is not sent into hedge mode."""
    async with adapter() as rig:
        price, before = await rig.far(), requests_for(rig, mode_query(rig))
        rig.fault(kind="delay", on=mode_query(rig), delay_ms=300, times=1)
        switching = asyncio.create_task(rig.exchange.set_position_mode(PositionMode.HEDGE))
        await asked_for(rig, mode_query(rig), before)
        placing = asyncio.create_task(rig.exchange.place_order(rig.request(price=price)))
        assert await switching is PositionMode.HEDGE
        outcome = (await asyncio.gather(placing, return_exceptions=True))[0]
        assert "position_side BOTH: expected" in str(outcome)
        assert rig.account["orders"] == []


async def test_a_leverage_of_isolated_margin_is_set_for_both_sides(adapter: Adapter) -> None:
    """F21: in hedge mode each side may have its own, and both get the one that was asked for."""
    async with adapter(PositionMode.HEDGE) as rig:
        await rig.exchange.set_margin_mode(scope_of(rig), MarginMode.ISOLATED)
        assert await rig.exchange.set_leverage(SYMBOL, 9) == 9
        market = {"order_type": OrderType.MARKET, "position_side": PositionSide.LONG}
        await rig.exchange.place_order(rig.request(**market))

        async def held() -> bool:
            found = {one.position_side: one for one in await rig.exchange.get_positions(SYMBOL)}
            return (found[PositionSide.LONG].leverage, found[PositionSide.LONG].margin_mode) == (9, MarginMode.ISOLATED)

        await eventually(held)
