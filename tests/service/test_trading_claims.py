"""Who trades what, once: over real connections, and with market makers as processes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.connector.orders import claim_keeper
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import OutcomeUnknown, TradingClaimed
from opensqt.model.order import OrderRequest, OrderType, Side, TimeInForce
from opensqt.model.venue import ClaimRequest
from tests.service.connector_rig import Rig, rig
from tests.service.grid_rig import SYMBOL, Chain, chain
from tests.support import eventually

FIRST = ClaimRequest(symbol="BTCUSDT", strategy="SQ1", holder="one", description="maker on a, pid 1")
SECOND = replace(FIRST, holder="two", description="maker on b, pid 2")


def order(client_order_id: str, symbol: str = "BTCUSDT") -> OrderRequest:
    return OrderRequest(
        symbol=symbol,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal("0.1"),
        price=Decimal(99),
        client_order_id=client_order_id,
    )


@asynccontextmanager
async def clients(running: Rig) -> AsyncIterator[tuple[RemoteExchange, RemoteExchange]]:
    """Two programs of one client name, as two starts of the same market maker are."""
    settings = RemoteSettings(base_url=running.connector.address, name="maker", retry_scale=0)
    async with RemoteExchange(settings) as first, RemoteExchange(settings) as second:
        yield first, second


async def open_ids(running: Rig) -> set[str]:
    return {one.client_order_id for one in await running.venue.get_open_orders()}


async def test_a_second_program_is_told_who_trades_and_its_orders_are_refused() -> None:
    async with rig() as running, clients(running) as (first, second), first.lease(30, claim=FIRST):
        await first.place_order(order("SQ1a"))
        with pytest.raises(TradingClaimed, match="maker on a, pid 1"):
            async with second.lease(30, claim=SECOND):
                pytest.fail("both trade")
        with pytest.raises(TradingClaimed):
            await second.place_order(order("SQ1b"))
        (refused, other) = await second.batch_place_orders([order("SQ1c"), order("XY1d")])
        assert isinstance(refused, TradingClaimed)
        assert not isinstance(other, Exception)
        await second.place_order(order("SQ1e", "ETHUSDT"))
        await first.batch_place_orders([order("SQ1f")])
        assert await open_ids(running) == {"SQ1a", "XY1d", "SQ1e", "SQ1f"}


async def test_a_refused_heartbeat_does_not_renew_the_lease_of_the_first_program() -> None:
    """Both have one name, so a second start would have kept a dead first one's orders alive."""
    async with rig() as running, clients(running) as (first, second):
        await first.heartbeat(2, FIRST)
        await first.place_order(order("SQ1a"))

        async def refused_until_it_ended() -> bool:
            try:
                await second.heartbeat(2, SECOND)
            except TradingClaimed:
                return False
            return True

        await eventually(refused_until_it_ended)
        await eventually(lambda: _none_open(running))


async def _none_open(running: Rig) -> bool:
    return not await open_ids(running)


async def test_a_program_that_stood_still_has_its_first_order_refused() -> None:
    async with rig() as running, clients(running) as (first, second):
        await first.heartbeat(30, FIRST)
        lease = await second.heartbeat(30, replace(SECOND, take_over=True))
        assert lease.claim is not None
        assert lease.claim.number == 2
        with pytest.raises(TradingClaimed, match="maker on b, pid 2"):
            await first.place_order(order("SQ1a"))
        with pytest.raises(TradingClaimed):
            await first.heartbeat(30, replace(FIRST, number=1))
        await second.place_order(order("SQ1b"))
        assert await open_ids(running) == {"SQ1b"}


async def test_the_block_of_a_program_whose_claim_was_taken_over_ends() -> None:
    async with rig() as running, clients(running) as (first, second):
        begun = asyncio.Event()

        async def trade() -> None:
            async with first.lease(1, claim=FIRST, on_lapse=lambda _lapse: None):
                begun.set()
                await asyncio.Event().wait()

        trading = asyncio.create_task(trade())
        await begun.wait()
        await second.heartbeat(30, replace(SECOND, take_over=True))
        with pytest.raises(TradingClaimed, match="maker on b"):
            await trading


async def test_who_takes_over_waits_until_nothing_of_the_program_before_is_on_its_way() -> None:
    async with rig() as running, clients(running) as (first, second):
        await first.heartbeat(30, FIRST)
        running.venue.gate.clear()
        placing = asyncio.create_task(first.place_order(order("SQ1a")))
        await eventually(lambda: running.venue.held == 1)
        taking = asyncio.create_task(second.heartbeat(30, replace(SECOND, take_over=True)))
        await eventually(lambda: running.connector.claims.standing()[0].number == 2)
        assert not taking.done()
        running.venue.gate.set()
        await taking
        await placing
        assert await open_ids(running) == {"SQ1a"}


async def test_to_ask_again_does_not_pass_by_orders_of_the_program_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of the claim, which GetStatus shows, was enough; and a lease gave up at its first heartbeat."""
    monkeypatch.setattr(claim_keeper, "SETTLED_WITHIN_S", 0.05)
    over = replace(SECOND, take_over=True)
    async with rig() as running, clients(running) as (first, second):
        await first.heartbeat(30, FIRST)
        running.venue.gate.clear()
        placing = asyncio.create_task(first.place_order(order("SQ1a")))
        await eventually(lambda: running.venue.held == 1)

        def number() -> int:
            return running.connector.claims.standing()[0].number

        for asked in (over, replace(SECOND, number=2)):
            with pytest.raises(OutcomeUnknown, match="orders of the program before are of unknown outcome"):
                await second.heartbeat(30, asked)

        async def take() -> set[str]:
            async with second.lease(3, claim=over):
                return await open_ids(running)

        taking = asyncio.create_task(take())
        await eventually(lambda: taking.done() or number() > 3)
        assert not taking.done()
        running.venue.gate.set()
        assert await taking == {"SQ1a"}
        await placing


async def test_who_gives_a_claim_up_waits_for_no_order_of_the_program_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_keeper, "SETTLED_WITHIN_S", 0.05)
    async with rig() as running, clients(running) as (first, second):
        await first.heartbeat(30, FIRST)
        running.venue.gate.clear()
        placing = asyncio.create_task(first.place_order(order("SQ1a")))
        await eventually(lambda: running.venue.held == 1)
        with pytest.raises(OutcomeUnknown):
            await second.heartbeat(30, replace(SECOND, take_over=True))
        await second.heartbeat(0, replace(SECOND, number=2))
        assert running.connector.claims.standing() == ()
        running.venue.gate.set()
        await placing


async def test_the_holder_closes_under_its_own_ids_while_it_has_halted_trading() -> None:
    async with rig() as running, clients(running) as (first, _):
        await first.heartbeat(30, FIRST)
        await running.venue.place_order(replace(order("open1"), order_type=OrderType.MARKET, price=None))
        await first.halt_trading("halt1", symbol="BTCUSDT", ttl_s=30)
        closing = replace(order("SQ1z"), side=Side.SELL, price=Decimal(101), reduce_only=True)
        placed = await first.place_during_halt(closing, "halt1")
        assert placed.client_order_id == "SQ1z"


async def test_an_order_that_was_placed_is_answered_again_whoever_trades_now() -> None:
    async with rig() as running, clients(running) as (first, second):
        await first.heartbeat(30, FIRST)
        placed = await first.place_order(order("SQ1a"))
        await second.heartbeat(30, replace(SECOND, take_over=True))
        again = await first.place_order(order("SQ1a"))
        assert again.order_id == placed.order_id


async def test_a_restart_of_the_connector_keeps_the_claim(tmp_path: Path) -> None:
    journal = str(tmp_path / "journal.db")
    async with rig(journal=journal) as running, clients(running) as (first, _):
        await first.heartbeat(60, FIRST)
    async with rig(journal=journal) as running, clients(running) as (first, second):
        with pytest.raises(TradingClaimed, match="maker on a, pid 1"):
            await second.heartbeat(60, SECOND)
        lease = await first.heartbeat(60, replace(FIRST, number=1))
        assert lease.claim is not None
        assert lease.claim.number == 1
        (shown,) = (await second.get_status()).claims
        assert (shown.client, shown.description, shown.strategy) == ("maker", "maker on a, pid 1", "SQ1")


async def test_a_lease_that_is_released_releases_the_claim() -> None:
    async with rig() as running, clients(running) as (first, second):
        async with first.lease(30, claim=FIRST):
            pass
        async with second.lease(30, claim=SECOND) as lease:
            assert lease.latest.claim is not None
            assert lease.latest.claim.number == 2
            await second.place_order(order("SQ1a"))
        assert (await first.get_status()).claims == ()


def other_database(made: Chain) -> dict[str, str]:
    return {"OPENSQT__APP__DATABASE_URL": f"sqlite:///{made.folder}/other.db"}


async def test_a_second_market_maker_ends_and_says_who_trades(tmp_path: Path, large: bool) -> None:
    """F42: two with different databases adopted each other's orders and sent 560 in 35 s."""
    async with chain(tmp_path) as made, made.maker() as first:
        await first.ready()
        await eventually(lambda: len(made.open_orders) >= 5)
        refused = 0
        while refused < (100 if large else 2):
            async with made.maker(**other_database(made)) as second:
                code, said = await second.wait(), second.stderr.decode()
            assert b"ready on" not in second.stdout
            if code == 4:
                continue  # each start queries the account first, and a hundred of them use up the limit of a minute
            assert code == 2, second.output
            assert f"pid {first.pid} (client market-maker-{SYMBOL}" in said
            refused += 1
        assert first.returncode is None


async def test_a_market_maker_that_slept_while_another_took_over_places_nothing_more(tmp_path: Path) -> None:
    """By the simulator's ledger: every order after the take-over is in the second one's database."""
    async with chain(tmp_path) as made, made.maker() as first:
        await first.ready()
        await eventually(lambda: len(made.open_orders) >= 5)
        first.send(signal.SIGSTOP)
        async with made.maker("--take-over", **other_database(made)) as second:
            await second.ready()
            # What the first one had on its way was settled before the second one was answered.
            before = {one["client_order_id"] for one in made.account["orders"]}
            first.send(signal.SIGCONT)
            assert await first.wait() == 5, first.output
            assert "is traded by market-maker on" in first.stderr.decode()
            second.send(signal.SIGTERM)
            assert await second.wait() == 0, second.output
        store = await Store.open(f"sqlite:///{tmp_path}/other.db")
        own = {one.client_order_id for one in await store.orders(SYMBOL)}
        await store.close()
        placed = {one["client_order_id"] for one in made.account["orders"]}
        assert placed & own
        assert placed - before <= own
