"""The modes of an account at each venue: its balance and margin are right, or the start says what to switch where."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.model.account import Account
from opensqt.model.errors import UnsupportedAccount
from opensqt.model.order import OrderStatus, OrderType, PositionSide, Side
from opensqt.simulator import AccountSettings, Simulator, SimulatorSettings
from opensqt.venues.factory import create_exchange
from tests.chaos.adapter_rig import LOT, SYMBOL, Rig, on_simulator, settings
from tests.support import eventually

ALONE = [
    ("binance", "single_asset", "single-asset"),
    ("bitget", "classic", "classic"),
    ("gate", "classic", "classic"),
    ("gate", "single_currency", "unified, single-currency margin"),
    ("okx", "futures", "futures"),
]
"""Modes in which the margin asset alone serves as margin: venue, the simulator's name of it, and the adapter's."""
SHARED = [
    ("binance", "multi_assets", "multi-assets"),
    ("binance", "credits_trading", "credits trading"),
    ("bitget", "unified", "unified, advanced mode"),
    ("bybit", "unified_2", "unified trading account 2.0 Pro"),
    ("bybit", "unified_1", "unified trading account 1.0"),
    ("gate", "multi_currency", "unified, multi-currency margin"),
    ("gate", "portfolio", "unified, portfolio margin"),
    ("okx", "multi_currency", "multi-currency margin"),
]
"""Modes in which other assets serve as margin, too."""
REFUSED = [
    ("bitget", "unified_isolated", r"'isolated'\): switch it to Basic or Advanced mode .*bitget\.com.*Account mode"),
    ("bybit", "classic", r"classic one: upgrade it to the unified trading account .*bybit\.com"),
    ("okx", "spot", r"spot mode, .* switch it to Futures mode or Multi-currency margin mode .*okx\.com"),
    ("okx", "portfolio", r"portfolio margin mode, .* reduce-only .* switch it to Futures mode .*okx\.com"),
]


async def same_as_ledger(rig: Rig) -> Account:
    """Wait until a query of the account equals the ledger, and answer it."""

    async def is_same() -> bool:
        account, ledger = await rig.exchange.get_account(), rig.account
        wanted = [Decimal(ledger[name]) for name in ("wallet_balance", "unrealized_pnl", "available_balance")]
        found = [account.wallet_balance, account.unrealized_pnl, account.available_balance]
        return all(abs(one - other) < Decimal("0.000001") for one, other in zip(found, wanted, strict=True))

    await eventually(is_same, what="the ledger's balance")
    return await rig.exchange.get_account()


@pytest.mark.parametrize(("venue", "mode", "name"), [*ALONE, *SHARED])
async def test_the_balance_is_the_ledgers_with_a_position_and_an_order_open(venue: str, mode: str, name: str) -> None:
    async with on_simulator(venue, account={"account_mode": mode}) as rig:
        assert (await rig.exchange.get_status()).account_mode == name
        await rig.exchange.place_order(rig.request(order_type=OrderType.MARKET))
        resting = await rig.exchange.place_order(rig.request(price=await rig.far()))
        assert resting.status is OrderStatus.OPEN
        account = await same_as_ledger(rig)
        assert account.wallet_balance < 10_000
        assert account.margin_balance - account.available_balance == pytest.approx(account.initial_margin)
        assert 0 < account.maintenance_margin < account.initial_margin
        await rig.exchange.place_order(rig.request(Side.SELL, order_type=OrderType.MARKET, reduce_only=True))
        await rig.agrees()


@pytest.mark.parametrize(("venue", "mode", "name"), SHARED)
async def test_other_assets_carry_an_order_that_the_margin_asset_can_not(venue: str, mode: str, name: str) -> None:
    """The wallet is the margin asset's own; what is available, and the margin balance, are those of all assets."""
    balances = {"balance": Decimal(5), "collateral": Decimal(2_000)}
    async with on_simulator(venue, account={"account_mode": mode, **balances}) as rig:
        account = await same_as_ledger(rig)
        assert (account.wallet_balance, account.available_balance) == (5, 2_005)
        assert account.total_margin_balance == 2_005
        await rig.exchange.place_order(rig.request(order_type=OrderType.MARKET))
        (held,) = await rig.exchange.get_positions(SYMBOL)
        assert (held.quantity, held.position_side) == (LOT, PositionSide.BOTH)
        account = await same_as_ledger(rig)
        assert account.initial_margin > account.wallet_balance
        assert account.total_margin_balance == pytest.approx(account.margin_balance + 2_000)


@pytest.mark.parametrize(("venue", "mode", "name"), ALONE)
async def test_no_other_assets_are_counted_where_one_alone_serves_as_margin(venue: str, mode: str, name: str) -> None:
    async with on_simulator(venue, account={"account_mode": mode}) as rig:
        assert (await rig.exchange.get_account()).total_margin_balance is None


@pytest.mark.parametrize(("venue", "mode", "name"), [*ALONE, *SHARED])
async def test_a_trade_changes_the_streamed_balance(venue: str, mode: str, name: str) -> None:
    """Without a comparison with the venue: they are made too seldom here to be what shows it."""
    async with on_simulator(venue, account={"account_mode": mode}, reconcile_interval_s=3_600) as rig:
        await rig.exchange.place_order(rig.request(order_type=OrderType.MARKET))
        paid = Decimal(rig.account["fees"])
        assert paid > 0

        def shown() -> bool:
            (account,) = rig.exchange.subscribe_account().entries.feed.snapshot
            return account.wallet_balance == 10_000 - paid

        await eventually(shown, what="a streamed balance without the fee")


async def test_credits_are_the_asset_of_the_balance_and_of_the_fees() -> None:
    async with on_simulator("binance", account={"account_mode": "credits_trading"}) as rig:
        assert (await rig.exchange.get_account()).asset == "BNFCR"
        await rig.exchange.place_order(rig.request(order_type=OrderType.MARKET))
        await eventually(lambda: rig.told)
        assert {fill.fee_asset for fill in rig.told} == {"BNFCR"}
        assert {fill.fee_asset for fill in await rig.exchange.list_fills(SYMBOL, since_ms=0)} == {"BNFCR"}


@pytest.mark.parametrize(("venue", "mode", "sentence"), REFUSED)
async def test_an_account_that_is_not_traded_is_refused_with_what_to_switch(
    venue: str, mode: str, sentence: str
) -> None:
    accounts = (AccountSettings(account_mode=mode),)
    async with Simulator(SimulatorSettings(exchange=venue, port=0, past_minutes=10, accounts=accounts)) as simulator:
        with pytest.raises(UnsupportedAccount, match=sentence):
            await create_exchange(settings(simulator)).start()
        assert "place_order" not in simulator.ledger()["statistics"]["requests"]
