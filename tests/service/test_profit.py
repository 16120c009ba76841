"""The profit of a market maker is the change of the account's equity, part by part, as the venue's ledger has it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

from opensqt.market_maker.executor import Executor
from opensqt.market_maker.orders.events import AssetPriced, Event, PriceAsset, TakeVenue
from opensqt.market_maker.right import TradingRight
from opensqt.market_maker.service import MarketMaker
from opensqt.market_maker.store.store import Store
from opensqt.model.account import PositionMode
from opensqt.model.errors import RequestError
from opensqt.model.order import Side
from opensqt.simulator.settings import AccountSettings
from tests.chaos.adapter_rig import on_simulator
from tests.service.grid_rig import ACCOUNT, SYMBOL, Ledger, running, simulator
from tests.service.profit_rig import differences, is_exact, pay_funding, stored_equals
from tests.support import eventually
from tests.unit.market_maker.venue import Sure


async def agrees(maker: MarketMaker, ledger: Ledger) -> bool:
    return is_exact(differences(maker.status(), ledger))


async def test_the_parts_are_those_of_the_ledger_with_funding_and_over_restarts(tmp_path: Path) -> None:
    """F36 F50: realized, open, fees, funding and their sum, while it runs, after restarts, and in the store."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        for restart, rate in enumerate(("0.0001", "-0.0002", "0.0003")):
            async with running(sim, tmp_path / "grid.db") as maker:
                await eventually(lambda wanted=8 * (restart + 1): len(ledger.account["fills"]) >= wanted)
                pay_funding(sim, rate)
                sim.market.pause(SYMBOL)
                await eventually(lambda: agrees(maker, ledger), what="status and ledger agree")
                profit = maker.status()["profit"]
            # What is paid while no process runs is found by the next one.
            pay_funding(sim, rate)
            sim.market.resume(SYMBOL)
        async with running(sim, tmp_path / "grid.db") as maker:
            sim.market.pause(SYMBOL)
            await eventually(lambda: agrees(maker, ledger), what="status and ledger agree")
            funding = maker.status()["funding"]
        assert funding["payments"] == len([one for one in ledger.account["funding_payments"] if one["amount"] != "0"])
        assert Decimal(profit["round_trips"]) + Decimal(profit["levels"]) == Decimal(profit["realized"]) + Decimal(
            profit["open"]
        )
        await stored_equals(f"sqlite:///{tmp_path}/grid.db", ledger)


async def test_a_liquidation_is_counted_as_what_it_is_and_over_a_restart(tmp_path: Path) -> None:
    """F50: the venue closes the position at a loss; the loss is a part of the profit, and not 0."""
    small = AccountSettings(balance=Decimal(150))
    async with simulator(accounts=(small,)) as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", position_safety_check="1", reconcile_interval="0.3") as maker:
            await eventually(lambda: ledger.position > Decimal("0.004"))
            sim.market.pause(SYMBOL)
            sim.engine.set_mark(SYMBOL, Decimal(1))
            assert ledger.position == 0
            await eventually(lambda: agrees(maker, ledger), what="the liquidation is counted")
            loss = maker.status()["venue_made"]
        async with running(sim, tmp_path / "grid.db", position_safety_check="1") as maker:
            await eventually(lambda: agrees(maker, ledger), what="the liquidation is still counted")
            assert maker.status()["venue_made"] == loss
        assert set(loss) == {"LIQUIDATION"}


async def test_a_loss_of_a_position_closed_by_hand_is_counted_and_not_0(tmp_path: Path) -> None:
    """F48 F50: the profit has what the close by hand lost, also when the levels follow, and in the store."""
    async with simulator() as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", reconcile_interval="0.3") as maker:
            await eventually(lambda: ledger.position > Decimal("0.004"))
            sim.market.pause(SYMBOL)
            await eventually(lambda: agrees(maker, ledger), what="status and ledger agree")
            realized = Decimal(maker.status()["profit"]["realized"])
            # What a long grid holds was bought above the price.
            ledger.place(Side.SELL, quantity=str(ledger.position))
            loss = sum(Decimal(fill["realized_pnl"]) for fill in by_hand(ledger))
            assert loss < 0
            await eventually(lambda: agrees(maker, ledger), what="the close by hand is counted")
            await eventually(lambda: maker.status()["halted"], what="the difference is found")
            assert Decimal(maker.status()["profit"]["by_hand"]) == loss
            assert Decimal(maker.status()["profit"]["realized"]) == realized
            await maker.handled(TakeVenue(preview=False))
            assert not maker.status()["halted"]
            await eventually(lambda: agrees(maker, ledger), what="the loss stays when the levels follow")
        await stored_equals(f"sqlite:///{tmp_path}/grid.db", ledger)


def by_hand(ledger: Ledger) -> list[dict[str, str]]:
    return [fill for fill in ledger.account["fills"] if fill["client_order_id"].startswith("byhand")]


async def test_long_and_short_of_hedge_mode_are_those_of_the_ledger(tmp_path: Path) -> None:
    """F36: a neutral grid holds both at once; what is realized and what is open are the account's on each."""
    hedged = AccountSettings(position_mode=PositionMode.HEDGE)
    async with simulator(accounts=(hedged,)) as sim:
        ledger = Ledger(sim)
        async with running(sim, tmp_path / "grid.db", grid_mode="neutral") as maker:
            for _ in range(2):
                for side, of in ((Side.SELL, "LONG"), (Side.BUY, "SHORT")):
                    sim.market.send_outside_order(SYMBOL, side, Decimal(3))
                    await eventually(lambda of=of: of in {fill["position_side"] for fill in ledger.account["fills"]})
                pay_funding(sim, "0.0002")
            sim.market.pause(SYMBOL)
            await eventually(lambda: agrees(maker, ledger), what="status and ledger agree")


async def test_a_trade_by_hand_is_counted_as_what_it_is(tmp_path: Path) -> None:
    """F50: the sum is the change of equity still, and the grid's own part has none of it."""
    async with simulator() as sim, running(sim, tmp_path / "grid.db", reconcile_interval="0.3") as maker:
        ledger = Ledger(sim)
        await eventually(lambda: len(ledger.account["fills"]) >= 5 and ledger.position > Decimal("0.004"))
        sim.market.pause(SYMBOL)
        ledger.place(Side.SELL, quantity="0.002")
        await eventually(lambda: agrees(maker, ledger), what="the trade by hand is counted")
        assert maker.status()["profit"]["foreign_fills"] == 1


async def test_fees_in_another_asset_are_valued_at_its_price(tmp_path: Path) -> None:
    """F36: taken in ETH, as a discount token is: each at what ETHUSDT was worth, and none left without a price."""
    async with simulator() as sim:
        sim.market.pause("ETHUSDT")
        best = sim.engine.best("ETHUSDT")
        assert best.bid is not None
        assert best.ask is not None
        price = (best.bid + best.ask) / 2
        ledger = Ledger(sim)

        def worth(fee: Decimal, asset: str) -> Decimal:
            return fee * price if asset == "ETH" else fee

        async with running(sim, tmp_path / "grid.db") as maker:
            sim.engine.set_settlement_asset(ACCOUNT, "ETH")
            await eventually(lambda: [fill["fee_asset"] for fill in ledger.account["fills"]].count("ETH") >= 3)
            sim.market.pause(SYMBOL)

            def valued() -> bool:
                status, fills = maker.status(), ledger.account["fills"]
                paid = sum(worth(Decimal(fill["fee"]), fill["fee_asset"]) for fill in fills)
                return status["fills"] == len(fills) and Decimal(status["fees"]) == paid

            await eventually(valued, what="every fee has its value")
            assert maker.status()["unpriced_fees"] == {}
        store = await Store.open(f"sqlite:///{tmp_path}/grid.db")
        fills = [(counted.fill, counted.fees_value) for counted in await store.fills(SYMBOL)]
        await store.close()
        assert all(value == worth(fill.fee, fill.fee_asset) for fill, value in fills)


async def test_a_fee_of_an_old_minute_is_valued_by_its_candle() -> None:
    """F36: what the asset was worth then, and not now; an asset that is not traded here has no price."""
    async with on_simulator("binance") as rig:
        sim = rig.simulator
        minute_ms = sim.engine.now_ms() // 60_000 * 60_000 - 600_000
        answers: list[Event] = []
        async with asyncio.TaskGroup() as group:
            executor = Executor(
                rig.exchange,
                SYMBOL,
                quote_asset="USDT",
                max_batch=1,
                group=group,
                post=answers.append,
                observe_latency=lambda _ms: None,
                right=TradingRight(SYMBOL, Sure()),
            )
            executor.carry_out([PriceAsset("ETH", minute_ms), PriceAsset("POINT", minute_ms)])
        priced = {one.asset: one.outcome for one in answers if isinstance(one, AssetPriced)}
        (candle,) = sim.engine.candles("ETHUSDT", "1m", start_ms=minute_ms, end_ms=minute_ms, limit=1)
        assert priced["ETH"] == candle.close
        assert isinstance(priced["POINT"], RequestError)


async def test_the_position_is_valued_at_the_mark_price(tmp_path: Path) -> None:
    """F36: as the account's equity is, and not at the middle of the book, which may be elsewhere."""
    async with simulator() as sim, running(sim, tmp_path / "grid.db") as maker:
        ledger = Ledger(sim)
        await eventually(lambda: len(ledger.account["fills"]) >= 5 and ledger.position)
        sim.market.pause(SYMBOL)
        sim.engine.set_mark(SYMBOL, sim.engine.mark(SYMBOL).mark_price + Decimal(3))
        sim.engine.publish()

        def equal() -> bool:
            (held,) = [one for one in ledger.account["positions"] if one["symbol"] == SYMBOL]
            profit = maker.status()["profit"]
            same = Decimal(profit["mark"]) == Decimal(held["mark_price"])
            return same and is_exact({"open": Decimal(profit["open"]) - Decimal(held["unrealized_pnl"])})

        await eventually(equal, what="mark and open profit are the account's")
