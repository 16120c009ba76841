"""What is held is always seen: a symbol that stops trading while it is held, on all five venues.

What counts is the simulator's ledger.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opensqt.model.errors import ExchangeError, OrderDenied, OutcomeUnknown
from opensqt.model.order import Fill, Order, OrderRef, OrderRequest, OrderType, Side
from opensqt.venues.adapter import VenueAdapter
from opensqt.venues.factory import create_exchange
from tests.chaos.adapter_rig import SYMBOL, Adapter, Rig, on_simulator, settings
from tests.chaos.gateway_rig import Gateway, gateway, request
from tests.chaos.test_gateway_hostile import metrics
from tests.chaos.test_kill_switch import EVERYTHING, command
from tests.support import eventually
from tests.support.each import at_once, small

HELD = "ETHUSDT"
LOT = Decimal("0.3")
STATES = {
    "binance": ("SETTLING", "PENDING_TRADING", "CLOSE"),
    "bitget": ("maintain", "limit_open", "off"),
    "gate": ("in_delisting", "delisting"),
    "okx": ("suspend", "rebase", "preopen"),
    "bybit": ("Closed", "Settling", "PreLaunch"),
}
EVERY_STATE = [(venue, state) for venue, states in STATES.items() for state in states]


@pytest.fixture
def state(venue: str) -> str:
    """The state into which a held symbol of the venue is put."""
    return STATES[venue][0]


async def hold(rig: Rig) -> Order:
    """Sell short, and leave an order far from the market; return it."""
    price = await rig.exchange.get_latest_price(HELD)
    await rig.exchange.place_order(market(Side.SELL))
    return await rig.exchange.place_order(rig.request(symbol=HELD, quantity=LOT, price=price.bid - 60))


def market(side: Side, *, reduce_only: bool = False) -> OrderRequest:
    return request(side, symbol=HELD, quantity=LOT, order_type=OrderType.MARKET, reduce_only=reduce_only)


@asynccontextmanager
async def another(rig: Rig) -> AsyncIterator[VenueAdapter]:
    """A second adapter of the account: what a connector knows after a restart."""
    exchange = create_exchange(settings(rig.simulator))
    assert isinstance(exchange, VenueAdapter)
    async with exchange:
        yield exchange


async def held_of(exchange: VenueAdapter) -> dict[str, Decimal]:
    return {one.symbol: one.quantity for one in await exchange.get_positions() if not one.is_flat}


def ledger_of(rig: Rig | Gateway) -> dict[str, Decimal]:
    held = {one["symbol"]: Decimal(one["quantity"]) for one in rig.account["positions"]}
    return {symbol: quantity for symbol, quantity in held.items() if quantity}


@pytest.mark.parametrize(("venue", "state"), EVERY_STATE)
async def test_what_is_held_is_seen_after_a_restart_and_can_be_closed(venue: str, state: str) -> None:
    """F43: a position of -0.3 ETH and an order were invisible after a restart; now they are seen and closed."""
    async with on_simulator(venue) as rig:
        order = await hold(rig)
        rig.simulator.engine.set_listing_state(HELD, state)
        async with another(rig) as exchange:
            assert await held_of(exchange) == ledger_of(rig) == {HELD: -LOT}
            assert [one.order_id for one in await exchange.get_open_orders()] == [order.order_id]
            ref = OrderRef(symbol=HELD, client_order_id=order.client_order_id)
            assert (await exchange.cancel_order(ref)).status.is_closed
            await exchange.place_order(market(Side.BUY, reduce_only=True))
            await eventually(lambda: not ledger_of(rig))
            await eventually(lambda: held_is(exchange, {}))
            assert await exchange.get_open_orders() == []


async def held_is(exchange: VenueAdapter, wanted: dict[str, Decimal]) -> bool:
    return await held_of(exchange) == wanted


@pytest.mark.parametrize(("venue", "state"), EVERY_STATE)
async def test_an_order_that_opens_is_denied_with_the_state(venue: str, state: str) -> None:
    """F43: the error names symbol, state and what is still accepted; the venue is not asked."""
    async with on_simulator(venue) as rig:
        await hold(rig)
        rig.simulator.engine.set_listing_state(HELD, state)
        async with another(rig) as exchange:
            with pytest.raises(OrderDenied, match=f"symbol {HELD}: does not trade \\({state}\\)"):
                await exchange.place_order(market(Side.BUY))
            rules = (await exchange.get_exchange_info()).rules(HELD)
            assert rules is not None
            assert (rules.tradable, rules.untradable_reason) == (False, state)


async def test_the_comparison_goes_on(adapter: Adapter, state: str) -> None:
    """F43: one symbol that stops trading ended the comparison of every symbol; a fill that no frame told shows that."""
    async with adapter() as rig:
        await hold(rig)
        rig.simulator.engine.set_listing_state(HELD, state)
        await rig.exchange.venue.load_rules()
        rig.fault(kind="drop_frames", channel="private", probability=1, times=0)
        await rig.trade(3)
        wanted = [fill["trade_id"] for fill in rig.account["fills"] if fill["symbol"] == SYMBOL]
        await eventually(lambda: len(of_symbol(rig.told)) >= len(wanted))
        assert sorted(fill.trade_id for fill in of_symbol(rig.told)) == sorted(wanted)
        assert await held_of(rig.exchange) == ledger_of(rig)
        assert ledger_of(rig).keys() == {HELD, SYMBOL}


async def test_a_change_of_state_is_noticed_while_running() -> None:
    """F43: the venue's own refusal shows it; from then on such an order is denied, and the status names the state.

    On all venues at once: the rules are loaded again some seconds after the last time.
    """

    async def check(venue: str) -> None:
        state = STATES[venue][0]
        async with on_simulator(venue) as rig:
            await hold(rig)
            rig.simulator.engine.set_listing_state(HELD, state)
            with pytest.raises(ExchangeError) as refused:
                await rig.exchange.place_order(market(Side.SELL))
            assert not isinstance(refused.value, OutcomeUnknown | OrderDenied)
            text = await eventually(lambda: told(rig.exchange))
            assert HELD in text
            assert state in text
            with pytest.raises(OrderDenied):
                await rig.exchange.place_order(market(Side.SELL))
            rig.simulator.engine.set_listing_state(HELD, "")
            await rig.exchange.venue.load_rules()
            assert await told(rig.exchange) == ""
            await rig.exchange.place_order(market(Side.SELL))

    await at_once(STATES, check)


async def test_a_change_of_state_is_noticed_without_an_order(venue: str, state: str) -> None:
    """F43: the rules are loaded again by a timer, so that the state is told though nobody trades the symbol."""
    async with on_simulator(venue, rules_interval_s=1.0) as rig:
        await hold(rig)
        assert await told(rig.exchange) == ""
        rig.simulator.engine.set_listing_state(HELD, state)
        assert state in await eventually(lambda: told(rig.exchange))
        rig.simulator.engine.set_listing_state(HELD, "")
        await eventually(lambda: told_nothing(rig.exchange))


def of_symbol(fills: list[Fill]) -> list[Fill]:
    """The fills of the symbol that trades: trade ids are unique in a symbol only."""
    return [fill for fill in fills if fill.symbol == SYMBOL]


async def told(exchange: VenueAdapter) -> str:
    """What the status says of symbols that are held and do not trade."""
    status = await exchange.get_status()
    assert status.healthy, status
    return next((check.reason for check in status.checks if check.name == "symbols"), "")


async def told_nothing(exchange: VenueAdapter) -> bool:
    return not await told(exchange)


async def test_a_symbol_that_is_neither_held_nor_configured_is_not_shown(adapter: Adapter, state: str) -> None:
    async with adapter() as rig:
        rig.simulator.engine.set_listing_state(HELD, state)
        await rig.exchange.venue.load_rules()
        assert (await rig.exchange.get_exchange_info()).rules(HELD) is None
        with pytest.raises(OrderDenied, match=f"does not trade \\({state}\\)"):
            await rig.exchange.place_order(market(Side.BUY))


async def test_a_symbol_that_vanishes_from_the_list_stays_known(
    adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F43: some venues list a symbol no more once it is settled: its position is no flat one because of that."""
    async with adapter() as rig:
        order = await hold(rig)
        fetch_markets = rig.exchange.client.fetch_markets

        async def without_held(*arguments: Any) -> list[Any]:
            return [one for one in await fetch_markets(*arguments) if one["base"] != "ETH"]

        monkeypatch.setattr(rig.exchange.client, "fetch_markets", without_held)
        await rig.exchange.venue.load_rules()
        assert await held_of(rig.exchange) == {HELD: -LOT}
        assert "no longer listed" in await told(rig.exchange)
        ref = OrderRef(symbol=HELD, client_order_id=order.client_order_id)
        assert (await rig.exchange.cancel_order(ref)).status.is_closed
        await rig.exchange.place_order(market(Side.BUY, reduce_only=True))
        await eventually(lambda: not ledger_of(rig))


async def test_a_configured_symbol_that_does_not_trade_does_not_end_the_start(venue: str, state: str) -> None:
    """F43: a connector that did not start because of a symbol's state could not close that symbol's position."""
    async with on_simulator(venue) as rig:
        await hold(rig)
        rig.simulator.engine.set_listing_state(HELD, state)
        configured = settings(rig.simulator, symbols=("BTCUSDT", HELD), leverage={HELD: 5})
        exchange = create_exchange(configured)
        assert isinstance(exchange, VenueAdapter)
        async with exchange:
            assert await held_of(exchange) == {HELD: -LOT}


COUNT_CONTRACTS = ("gate", "okx")
"""Venues whose rows of a position can't be read without the size of a contract, which only the list has."""


@pytest.mark.parametrize("venue", small(sorted(STATES), "binance", "gate"))
async def test_cancel_all_flattens_it_after_a_restart(venue: str, state: str, tmp_path: Path) -> None:
    """F43: `opensqt cancel-all --everything --flatten` ended with 0 and left the position and the order behind.

    At test size for a venue that counts coins and one that counts contracts: each adapter's own part is proven above.
    """
    async with gateway(venue, tmp_path) as made:
        async with made.client(name="trader") as exchange:
            price = await exchange.get_latest_price(HELD)
            await exchange.place_order(market(Side.SELL))
            await exchange.place_order(request(symbol=HELD, quantity=LOT, price=price.bid - 60))
        made.simulator.engine.set_listing_state(HELD, state)
        await made.restart()
        async with made.client(name="watcher") as exchange:
            rules = (await exchange.get_exchange_info()).rules(HELD)
            assert rules is not None
            assert (rules.tradable, rules.untradable_reason) == (False, state)
            checks = {check.name: check for check in (await exchange.get_status()).checks}
            assert state in checks["symbols"].reason
        assert f'exchange_untradable_held{{state="{state}",symbol="{HELD}"}} 1.0' in await metrics(made)
        code, printed = await command(made, *EVERYTHING)
        assert code == 0, printed
        assert made.open_ids == set()
        assert ledger_of(made) == {}


async def test_what_is_held_of_a_symbol_that_is_in_no_list_after_a_restart_is_seen(
    adapter: Adapter, venue: str
) -> None:
    """F43: where rows count coins it is read; where they count contracts the status is red and names it."""
    async with adapter() as rig:
        order = await hold(rig)
        rig.simulator.engine.set_listing_state(HELD, "unlisted")
        async with another(rig) as exchange:
            status = await exchange.get_status()
            checks = {check.name: check for check in status.checks}
            if venue in COUNT_CONTRACTS:
                assert not status.healthy
                assert "held, and its size can't be read: position ETH" in checks["positions"].reason
                return
            assert status.healthy
            assert f"{HELD} (no longer listed)" in checks["symbols"].reason
            assert await held_of(exchange) == {HELD: -LOT}
            assert [one.order_id for one in await exchange.get_open_orders()] == [order.order_id]
            ref = OrderRef(symbol=HELD, client_order_id=order.client_order_id)
            assert (await exchange.cancel_order(ref)).status.is_closed
            await exchange.place_order(market(Side.BUY, reduce_only=True))
            await eventually(lambda: held_is(exchange, {}))


async def test_a_symbol_that_was_only_not_listed_yet_is_read_and_no_check_stays_red(adapter: Adapter) -> None:
    """F43: what is held of a new symbol is seen when the rules are loaded again."""
    async with adapter() as rig:
        await hold(rig)
        rig.simulator.engine.set_listing_state(HELD, "unlisted")
        async with another(rig) as exchange:
            rig.simulator.engine.set_listing_state(HELD, "")
            await exchange.venue.load_rules()
            await eventually(lambda: held_is(exchange, {HELD: -LOT}))
            await eventually(lambda: is_healthy(exchange))
            rules = (await exchange.get_exchange_info()).rules(HELD)
            assert rules is not None
            assert rules.tradable


async def is_healthy(exchange: VenueAdapter) -> bool:
    return (await exchange.get_status()).healthy


@pytest.mark.parametrize("venue", small(sorted(STATES), "bybit", "okx"))
async def test_cancel_all_knows_what_it_can_not_close(venue: str, tmp_path: Path) -> None:
    """F43: with 0 it says that nothing is held; a position that is in no list is closed, or keeps it from saying so.

    At test size for a venue of which it is closed and one of which it can't be read.
    """
    async with gateway(venue, tmp_path) as made:
        async with made.client(name="trader") as exchange:
            await exchange.place_order(market(Side.SELL))
        made.simulator.engine.set_listing_state(HELD, "unlisted")
        await made.restart()
        # What can be closed is closed long before; what can't be read is tried until then.
        within = ("--within", "8") if venue in COUNT_CONTRACTS else ()
        code, printed = await command(made, *EVERYTHING, *within)
        if venue in COUNT_CONTRACTS:
            assert code != 0
            assert "its size can't be read: position ETH" in printed
            assert ledger_of(made) == {HELD: -LOT}
        else:
            assert code == 0, printed
            assert ledger_of(made) == {}
