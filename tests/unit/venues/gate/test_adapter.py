"""Gate's frames over its whole adapter and the state of the account, as the venue sends them."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.account import Position
from opensqt.model.market import Candle
from opensqt.venues.account.state import AccountState
from opensqt.venues.events import BalanceChange
from opensqt.venues.gate.adapter import GateAdapter
from tests.unit.venues.gate import test_parse as gate
from tests.unit.venues.okx.test_parse import rules

CANDLE = {"t": 1545129300, "v": 27525, "c": "95.4", "h": "96.9", "l": "89.5", "o": "94.3", "n": "1m_BTC_USDT"}
BALANCE = {"balance": 9.998739899488, "change": -0.000002074115, "text": "BTC_USDT:3914424", "time": 1547199246,
           "time_ms": 1547199246123, "type": "fee", "user": "211xxx"}  # fmt: skip
QUERIED = gate.POSITION | {"mark_price": "39000", "unrealised_pnl": "30.01", "time_ms": 0}


class Positions:
    """The venue: answers every query with one position."""

    async def send(self, *_: Any, **__: Any) -> Any:
        return [deepcopy(QUERIED)]


@pytest.fixture
def venue() -> GateAdapter:
    made = GateAdapter(VenueSettings(name="gate", symbols=("BTCUSDT",)), None, Positions())  # type: ignore[arg-type]
    made.rules, made.rules_by_id = {"BTCUSDT": rules()}, {"BTC_USDT": rules()}
    return made


def parsed(venue: GateAdapter, channel: str, *rows: Any) -> list[Any]:
    return list(venue.parse({"time": 1, "channel": channel, "event": "update", "result": list(rows)}) or ())


@pytest.mark.parametrize(("field", "volume"), [("a", "314732.87412"), ("sum", "314732.87412")])
def test_a_candle_has_its_volume_in_quote_coins(venue: GateAdapter, field: str, volume: str) -> None:
    (candle,) = parsed(venue, "futures.candlesticks", CANDLE | {field: volume})
    assert isinstance(candle, Candle)
    assert candle.quote_volume == Decimal(volume)


@pytest.mark.parametrize("kind", ["point_dnw", "point_fee", "point_refr"])
def test_a_balance_of_points_is_not_the_wallet(venue: GateAdapter, kind: str) -> None:
    assert parsed(venue, "futures.balances", BALANCE | {"type": kind, "balance": 500}) == []
    (change,) = parsed(venue, "futures.balances", BALANCE)
    assert isinstance(change, BalanceChange)
    assert change.wallet_balance == Decimal("9.998739899488")


async def test_a_frame_of_a_position_keeps_the_open_profit(venue: GateAdapter) -> None:
    """Its frames have neither the profit nor the mark price."""
    state = AccountState(venue)
    await state.refresh_positions()
    for position in parsed(venue, "futures.positions", gate.POSITION | {"size": "-6", "entry_price": 40000}):
        assert isinstance(position, Position)
        state.apply_position(position)
    (shown,) = state.positions.snapshot
    assert (shown.quantity, shown.unrealized_pnl, shown.mark_price) == (Decimal("-0.06"), 60, 39000)
    for position in parsed(venue, "futures.positions", gate.POSITION | {"size": "0", "entry_price": 0}):
        state.apply_position(position)
    (shown,) = state.positions.snapshot
    assert (shown.is_flat, shown.unrealized_pnl) == (True, 0)
