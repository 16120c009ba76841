"""Any symbol trades on every venue's protocol: prices far below a cent, contracts of 1,000 coins, and large ones."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from pydantic import SecretStr

from opensqt.config.venue import VenueSettings
from opensqt.model.order import OrderRef, OrderRequest, OrderStatus, OrderType, Side
from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.market.symbols import symbol_at
from opensqt.simulator.settings import AccountSettings
from opensqt.venues.factory import VENUES, create_exchange
from tests.support import eventually

PRICES = {"1000PEPEUSDT": "0.0112", "SHIBUSDT": "0.00000823", "XRPUSDT": "0.62", "YFIUSDT": "98765"}


def _settings(venue: str, url: str, account: AccountSettings) -> VenueSettings:
    return VenueSettings(
        name=venue,
        api_key=SecretStr(account.key),
        secret=SecretStr(account.secret),
        passphrase=SecretStr(account.passphrase),
        base_url=url,
        symbols=tuple(PRICES),
    )


@pytest.mark.parametrize("venue", sorted(VENUES))
async def test_a_symbol_of_any_price_is_traded_by_the_rules_that_the_venue_reports(venue: str) -> None:
    """Steps, an order that rests, one that fills and the position are exact, in base coins."""
    account = AccountSettings()
    symbols = tuple(symbol_at(symbol, Decimal(price)) for symbol, price in PRICES.items())
    market = SimulatorSettings(exchange=venue, port=0, symbols=symbols, accounts=(account,), past_minutes=10)
    async with Simulator(market) as simulator, create_exchange(_settings(venue, simulator.url, account)) as exchange:
        info = await exchange.get_exchange_info()
        for rules in symbols:
            symbol = rules.symbol
            seen = info.rules(symbol)
            assert seen is not None
            assert (seen.price_step, seen.quantity_step) == (rules.price_step, rules.quantity_step)
            price = await exchange.get_latest_price(symbol)
            assert abs(price.mid / Decimal(PRICES[symbol]) - 1) < Decimal("0.1")
            quantity = (Decimal(30) / price.mid // rules.quantity_step + 1) * rules.quantity_step
            low = seen.round_price(price.mid * Decimal("0.97"), up=False)
            request = OrderRequest(
                symbol=symbol, side=Side.BUY, quantity=quantity, price=low, client_order_id=f"a{symbol}"
            )
            ref = OrderRef(symbol=symbol, client_order_id=request.client_order_id)
            await exchange.place_order(request)
            found = await exchange.get_order(ref)
            assert (found.status, found.price, found.quantity) == (OrderStatus.OPEN, low, quantity)
            await exchange.cancel_order(ref)
            taking = replace(request, order_type=OrderType.MARKET, price=None, client_order_id=f"b{symbol}")
            await exchange.place_order(taking)

            async def is_held(symbol: str = symbol, quantity: Decimal = quantity) -> bool:
                return [each.quantity for each in await exchange.get_positions(symbol)] == [quantity]

            await eventually(is_held)
            fills = simulator.engine.fills(account.key, symbol)
            assert sum(fill.quantity for fill in fills) == quantity
