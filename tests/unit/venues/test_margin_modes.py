"""Positions under isolated margin, over whole adapters: what is held under cross margin beside them stays."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from opensqt.cli.close_positions import closing_orders
from opensqt.config.venue import VenueSettings
from opensqt.model.account import MarginMode, Position
from opensqt.model.order import Side
from opensqt.model.venue import Capabilities, ExchangeInfo
from opensqt.venues.account.queries import AccountQueries
from opensqt.venues.account.state import AccountState
from opensqt.venues.bitget.requests import order_request as bitget_request
from opensqt.venues.bybit.adapter import BybitAdapter
from opensqt.venues.okx.adapter import OkxAdapter
from opensqt.venues.okx.requests import order_request
from opensqt.wire.codec import decode_position, encode_position
from opensqt.wire.requests import decode_order_request, encode_order_request
from tests.unit.venues.bybit import test_parse as bybit
from tests.unit.venues.okx import test_parse as okx

INFO = ExchangeInfo(name="okx", exchange_type="usdt_perpetual", capabilities=Capabilities(), symbols=(okx.rules(),))
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
            return {"result": {"marginMode": self.margin_mode, "unifiedMarginStatus": 5}}
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


def test_a_long_and_a_short_of_two_margin_modes_that_cancel_out_are_not_flat(
    state: AccountState, venue: OkxAdapter
) -> None:
    """F12, F39: 2 BTC long under cross and 2 short under isolated margin were flat, and stayed after cancel-all."""
    apply(state, venue, CROSS, ISOLATED | {"pos": "-200"})
    position = shown(state)
    assert (position.quantity, position.isolated_quantity, position.is_flat) == (0, -2, False)
    assert decode_position(encode_position(position)) == position
    closing = list(closing_orders(position, INFO))
    assert [(order.side, order.quantity, order.margin_mode) for order in closing] == [
        (Side.SELL, 2, MarginMode.CROSS),
        (Side.BUY, 2, MarginMode.ISOLATED),
    ]
    sent = [order_request(order, "BTC-USDT-SWAP", okx.rules()) for order in closing]
    assert [(row["tdMode"], row["side"], row["sz"], row["reduceOnly"]) for row in sent] == [
        ("cross", "sell", "200", "true"),
        ("isolated", "buy", "200", "true"),
    ]
    apply(state, venue, CROSS | {"pos": "0", "uTime": "4000"}, CLOSED | {"uTime": "4000"})
    assert shown(state).is_flat


def test_an_isolated_position_is_closed_under_its_own_margin_mode(state: AccountState, venue: OkxAdapter) -> None:
    """F39: an order under cross margin can't close it."""
    apply(state, venue, ISOLATED)
    (order,) = closing_orders(shown(state), INFO)
    assert (order.side, order.quantity, order.margin_mode) == (Side.SELL, 1, MarginMode.ISOLATED)
    assert bitget_request(order)["marginMode"] == "isolated"
    assert decode_order_request(encode_order_request(order)) == order


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
