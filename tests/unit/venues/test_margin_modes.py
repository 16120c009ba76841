"""Positions under isolated margin, over whole adapters: what is held under cross margin beside them stays."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.account import MarginMode, Position
from opensqt.venues.account.queries import AccountQueries
from opensqt.venues.account.state import AccountState
from opensqt.venues.bybit.adapter import BybitAdapter
from opensqt.venues.okx.adapter import OkxAdapter
from tests.unit.venues.bybit import test_parse as bybit
from tests.unit.venues.okx import test_parse as okx

CROSS = okx.POSITION | {"pos": "200", "uTime": "1000", "liqPx": "3000", "markPx": "3353.8", "upl": "5"}
ISOLATED = CROSS | {"mgnMode": "isolated", "pos": "100", "uTime": "2000", "liqPx": "3200", "avgPx": "3350", "upl": "1"}
CLOSED = ISOLATED | {"pos": "0", "uTime": "3000", "avgPx": "", "liqPx": "", "upl": "", "markPx": ""}


class Rows:
    """The venue: answers queries of positions with these rows, and every other with nothing."""

    def __init__(self) -> None:
        self.positions: list[dict[str, Any]] = []
        self.margin_mode = "REGULAR_MARGIN"

    async def send(self, endpoint: str, _params: Any = None, **_: Any) -> Any:
        if endpoint == "privateGetAccountPositions":
            return {"data": self.positions}
        if endpoint == "privateGetV5AccountInfo":
            return {"result": {"marginMode": self.margin_mode}}
        return {"result": {"list": self.positions}, "data": []}


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def venue(rows: Rows) -> OkxAdapter:
    made = OkxAdapter(VenueSettings(name="okx", symbols=("BTCUSDT",)), None, rows)
    made.rules, made.rules_by_id = {"BTCUSDT": okx.rules()}, {"BTC-USDT-SWAP": okx.rules()}
    made.market_id = lambda _symbol: "BTC-USDT-SWAP"  # type: ignore[method-assign]
    return made


@pytest.fixture
def state(venue: OkxAdapter) -> AccountState:
    return AccountState(venue)


def apply(state: AccountState, venue: OkxAdapter, *sent: dict[str, Any]) -> None:
    for position in okx.parsed(venue, "positions", *sent):
        state.apply_position(position)


def shown(state: AccountState) -> Position:
    (position,) = state.positions.snapshot
    return position


def test_a_closed_isolated_position_leaves_the_cross_one(state: AccountState, venue: OkxAdapter) -> None:
    """F12: a row of one margin mode never makes the position of the other one flat."""
    apply(state, venue, CROSS)
    apply(state, venue, CLOSED)
    position = shown(state)
    assert (position.quantity, position.margin_mode, position.liquidation_price) == (2, MarginMode.CROSS, 3000)
    assert position.event_time_ms == 3000


async def test_a_query_of_both_rows_shows_the_held_one(rows: Rows, state: AccountState, venue: OkxAdapter) -> None:
    """F12: in either order of the rows."""
    for rows.positions in ([CROSS, CLOSED], [CLOSED, CROSS]):
        assert await state.refresh_positions() == set()
        assert shown(state).quantity == 2
        (queried,) = await AccountQueries(venue, state).positions("BTCUSDT")
        assert (queried.quantity, queried.margin_mode) == (2, MarginMode.CROSS)


def test_both_margin_modes_are_one_position(state: AccountState, venue: OkxAdapter) -> None:
    apply(state, venue, CROSS, ISOLATED)
    position = shown(state)
    assert (position.quantity, position.unrealized_pnl, position.margin_mode) == (3, 6, MarginMode.CROSS)
    assert (position.entry_price, position.liquidation_price) == (Decimal(3330), 3200)
    apply(state, venue, CROSS | {"pos": "0", "uTime": "4000"})
    position = shown(state)
    assert (position.quantity, position.margin_mode, position.liquidation_price) == (1, MarginMode.ISOLATED, 3200)


def test_a_long_and_a_short_of_two_margin_modes_are_their_difference(state: AccountState, venue: OkxAdapter) -> None:
    apply(state, venue, CROSS, ISOLATED | {"pos": "-100"})
    assert (shown(state).quantity, shown(state).entry_price) == (1, 3320)


async def test_an_isolated_position_that_a_query_leaves_out_is_flat(
    rows: Rows, state: AccountState, venue: OkxAdapter
) -> None:
    """F12: the frame of its end was lost, and the row of the cross position is older than its own."""
    for position in okx.parsed(venue, "positions", CROSS, ISOLATED):
        state.apply_position(replace(position, received_ns=0))
    rows.positions = [CROSS]
    assert await state.refresh_positions() == {"BTCUSDT"}
    assert (shown(state).quantity, shown(state).margin_mode) == (2, MarginMode.CROSS)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("REGULAR_MARGIN", MarginMode.CROSS),
        ("PORTFOLIO_MARGIN", MarginMode.CROSS),
        ("ISOLATED_MARGIN", MarginMode.ISOLATED),
    ],
)
async def test_a_position_of_bybit_has_the_margin_mode_of_the_account(rows: Rows, text: str, mode: MarginMode) -> None:
    """Bybit's rows have none: https://bybit-exchange.github.io/docs/v5/account/account-info."""
    row = bybit.POSITION | {"liqPrice": "30000"}
    venue = BybitAdapter(VenueSettings(name="bybit", symbols=("BTCUSDT",)), None, rows)
    venue.rules = venue.rules_by_id = {"BTCUSDT": okx.rules()}
    venue.market_id = lambda symbol: symbol  # type: ignore[method-assign]
    rows.positions, rows.margin_mode = [row], text
    await venue.load_position_mode()
    (queried,) = await venue.positions("BTCUSDT")
    (streamed,) = list(venue.parse(bybit.frame("position.linear", row)) or ())
    assert isinstance(streamed, Position)
    assert (queried.margin_mode, streamed.margin_mode) == (mode, mode)
    assert (queried.liquidation_price, streamed.liquidation_price) == (30000, 30000)
