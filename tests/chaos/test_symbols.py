"""The names and the limits of symbols, over whole adapters: the venue's own, on all five."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.errors import OrderDenied
from opensqt.model.order import OrderStatus, OrderType
from opensqt.simulator.settings import SymbolSettings
from tests.chaos.adapter_rig import SYMBOL, on_simulator

RENAMED = ("GTC", "JADE", "OMNI", "AE", "YOYO", "MPH", "DEGEN", "XBT")
"""Coins that ccxt calls by another name on one of the venues: GAMECOM, Jade Protocol, omni, AET, YOYOW, MORPHER ..."""


def listed(base: str, **more: Any) -> SymbolSettings:
    fields: dict[str, Any] = {
        "symbol": f"{base}USDT",
        "base_asset": base,
        "price_step": Decimal("0.10"),
        "quantity_step": Decimal("0.001"),
        "min_quantity": Decimal("0.001"),
        "start_price": Decimal(45_000),
    }
    return SymbolSettings(**(fields | more))


async def test_a_symbol_has_the_venues_own_name(venue: str) -> None:
    """A strategy that asks for GTCUSDT trades the contract that the venue calls GTC_USDT."""
    symbols = [listed("BTC"), *map(listed, RENAMED)]
    async with on_simulator(venue, listed=symbols) as rig:
        info = await rig.exchange.get_exchange_info()
        assert {rules.symbol for rules in info.symbols} == {one.symbol for one in symbols}
        assert {rules.base_asset for rules in info.symbols} == {"BTC", *RENAMED}
        bought = rig.request(symbol="GTCUSDT", order_type=OrderType.MARKET)
        await rig.exchange.place_order(bought)
        (position,) = [one for one in await rig.exchange.get_positions() if not one.is_flat]
        assert (position.symbol, position.quantity) == ("GTCUSDT", bought.quantity)


async def test_a_market_order_over_its_own_limit_is_denied_and_a_limit_order_is_not(venue: str) -> None:
    """F23: MARKET_LOT_SIZE, maxMktSz, maxMktOrderQty, market_order_size_max, maxMarketOrderQty."""
    limited = listed("BTC", max_quantity=Decimal(100), max_market_quantity=Decimal("0.5"))
    async with on_simulator(venue, listed=[limited]) as rig:
        rules = (await rig.exchange.get_exchange_info()).rules(SYMBOL)
        assert rules is not None
        assert (rules.max_quantity, rules.max_market_quantity) == (100, Decimal("0.5"))
        too_much = rig.request(quantity=Decimal("0.501"), order_type=OrderType.MARKET)
        with pytest.raises(OrderDenied, match=r"quantity 0\.501: expected at most 0\.5"):
            await rig.exchange.place_order(too_much)
        resting = rig.request(quantity=Decimal("0.501"), price=await rig.far())
        assert (await rig.exchange.place_order(resting)).status is OrderStatus.OPEN
        assert [order["status"] for order in rig.account["orders"]] == ["OPEN"]
