"""The settings of Bitget's unified account: leverage, position mode, and the margin mode that each order names."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.account import MarginMode, PositionMode
from opensqt.model.errors import InsufficientMargin, OrderRejected, Unsupported, VenueError
from opensqt.model.order import PositionSide, Side
from opensqt.model.venue import MarginModeScope
from opensqt.venues.account.state import AccountState
from opensqt.venues.bitget.adapter import BitgetAdapter
from tests.unit.venues.bitget.test_unified import ENDED, POSITION, SETTINGS, frame, request, unified

_GET, _POST = "privateUtaGetV3", "privateUtaPostV3"
HELD = ENDED | {"holdMode": "one_way_mode", "size": "0.002", "avgPrice": "94000", "positionStatus": "opening"}


def settings(*configs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    answer = SETTINGS | {"symbolConfigList": list(configs)} | changes
    return {f"{_GET}AccountSettings": answer}


def config(**changes: Any) -> dict[str, Any]:
    return {"category": "USDT-FUTURES", "symbol": "BTCUSDT", "marginMode": "crossed", "leverage": "20"} | changes


async def test_every_setting_but_the_margin_mode_can_be_set() -> None:
    """The venue has none: each order names its margin mode. Both modes are read."""
    venue, _ = await unified()
    able = venue.capabilities
    assert (able.set_leverage, able.set_position_mode, able.funding_payments) == (True, True, True)
    assert (able.margin_mode_scope, able.margin_modes) == (MarginModeScope.NONE, frozenset(MarginMode))
    with pytest.raises(Unsupported):
        await venue.change_margin_mode("BTCUSDT", MarginMode.ISOLATED)


async def test_leverage_is_sent_once_and_is_what_a_query_then_reports() -> None:
    """F21: leverage is what was asked for."""
    venue, rest = await unified(**{f"{_POST}AccountSetLeverage": "success"})
    assert await venue.set_leverage("BTCUSDT", 7) == 20
    assert rest.sent(f"{_POST}AccountSetLeverage") == [
        {"category": "USDT-FUTURES", "symbol": "BTCUSDT", "leverage": "7"}
    ]


async def test_leverage_is_that_of_cross_margin() -> None:
    """Under isolated margin a symbol has leverages of its own, in hedge mode one of each side."""
    isolated = config(marginMode="isolated", leverage=["10", "5"])
    venue, _ = await unified(**settings(isolated, config(category="SPOT", leverage="3"), config(leverage="12")))
    assert await venue.leverage("BTCUSDT") == 12


@pytest.mark.parametrize(
    "configs", [[], [config(symbol="ETHUSDT")], [config(marginMode="isolated")], [config(leverage="")]]
)
async def test_a_symbol_without_a_leverage_of_its_own_has_a_flat_position_without_one(
    configs: list[dict[str, Any]],
) -> None:
    """The venue lists the symbols that were configured; any other was no reason for a position that can't be read."""
    venue, _ = await unified(**settings(*configs), **{f"{_GET}PositionCurrentPosition": {"list": None}})
    found = await venue.positions("BTCUSDT")
    assert {(one.position_side, one.quantity, one.leverage) for one in found} == {
        (PositionSide.LONG, Decimal(0), None),
        (PositionSide.SHORT, Decimal(0), None),
    }
    with pytest.raises(VenueError, match="leverage of BTCUSDT"):
        await venue.leverage("BTCUSDT")


@pytest.mark.parametrize("mode", list(PositionMode))
async def test_the_position_mode_is_that_of_the_account(mode: PositionMode) -> None:
    """F20: hedge mode and one-way mode are never mixed up."""
    text = {PositionMode.HEDGE: "hedge_mode", PositionMode.ONE_WAY: "one_way_mode"}[mode]
    venue, rest = await unified(**settings(holdMode=text), **{f"{_POST}AccountSetHoldMode": "success"})
    await venue.set_position_mode(mode)
    await venue.load_position_mode()
    assert venue.position_mode is mode
    assert rest.sent(f"{_POST}AccountSetHoldMode") == [{"holdMode": text}]


@pytest.mark.parametrize("found", [None, "", "novel_mode"])
async def test_a_position_mode_that_is_not_reported_is_not_taken_for_granted(found: Any) -> None:
    """F20: it was one-way mode, so that a switch to that was proven by nothing."""
    venue, _ = await unified(**settings(holdMode=found))
    with pytest.raises(VenueError, match="holdMode"):
        await venue.load_position_mode()
    assert venue.position_mode is PositionMode.HEDGE


@pytest.mark.parametrize("code", ["25010", "25107", "25113", "25114", "25223", "25228", "25570"])
def test_a_setting_that_the_venue_refuses_is_told_as_refused(code: str) -> None:
    """A change that ends with such an error is `SettingRefused`; one for lack of margin says so."""
    kind = BitgetAdapter.codes[code]
    assert issubclass(kind, OrderRejected)
    assert not issubclass(kind, InsufficientMargin)


@pytest.mark.parametrize(("mode", "text"), [(MarginMode.CROSS, "crossed"), (MarginMode.ISOLATED, "isolated")])
async def test_an_order_names_its_own_margin_mode(mode: MarginMode, text: str) -> None:
    """F39: an order under cross margin can't close what is held under isolated margin."""
    venue, rest = await unified(
        PositionMode.ONE_WAY, **{f"{_POST}TradePlaceOrder": {"orderId": "1", "clientOid": "mine1"}}
    )
    await venue.place(request(Side.SELL, margin_mode=mode))
    (sent,) = rest.sent(f"{_POST}TradePlaceOrder")
    assert sent["marginMode"] == text


async def test_what_is_held_under_one_margin_mode_is_not_hidden_by_the_other() -> None:
    """F12: a position that ended under isolated margin leaves the one under cross margin."""
    venue, _ = await unified(PositionMode.ONE_WAY)
    state = AccountState(venue)
    for row in (HELD, HELD | {"marginMode": "isolated", "size": "0", "positionStatus": "ended"}):
        (position,) = venue.parse(frame("position", row)) or ()
        state.apply_position(position)
    (shown,) = state.positions.snapshot
    assert (shown.quantity, shown.margin_mode) == (Decimal("0.002"), MarginMode.CROSS)


async def test_a_row_of_isolated_margin_says_so() -> None:
    rows = {"list": [POSITION | {"marginMode": "isolated"}]}
    venue, _ = await unified(**{f"{_GET}PositionCurrentPosition": rows})
    held, flat = await venue.positions("BTCUSDT")
    assert (held.margin_mode, held.position_side, flat.position_side) == (
        MarginMode.ISOLATED,
        PositionSide.LONG,
        PositionSide.SHORT,
    )
