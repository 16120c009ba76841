"""`opensqt cancel-all` and `opensqt resume`, in this process, against a connector over an exchange in memory."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from rich.console import Console

from opensqt.cli import status
from opensqt.cli.cancel_all import KillSwitch, cancel_and_flatten
from opensqt.cli.remaining import CancelScope
from opensqt.cli.resume import resume
from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.market_maker.orders.ids import OrderIds
from opensqt.model.errors import OrderRejected, TradingHalted, Unreachable
from opensqt.model.order import Order, OrderRequest, OrderType, Side
from tests.service.connector_rig import Rig, Venue, rig
from tests.service.gatekeeper import guarded, token
from tests.support import eventually

OURS = OrderIds("SQ1", "BTCUSDT").make(-3, Side.BUY, 1)
OURS_TOO = OrderIds("SQ1", "BTCUSDT").make(-4, Side.BUY, 2)
FOREIGN = "web123"


@pytest.fixture
async def made() -> AsyncIterator[Rig]:
    async with rig() as made:
        yield made


def settings(made: Rig, name: str, **more: object) -> RemoteSettings:
    return RemoteSettings(**{"base_url": made.connector.address, "name": name, "deadline_s": 2, **more})


@pytest.fixture
async def exchange(made: Rig) -> AsyncIterator[RemoteExchange]:
    """The client at the prompt."""
    async with RemoteExchange(settings(made, "opensqt")) as exchange:
        yield exchange


@pytest.fixture
async def maker(made: Rig) -> AsyncIterator[RemoteExchange]:
    """A client that trades."""
    async with RemoteExchange(settings(made, "maker", deadline_s=20)) as exchange:
        yield exchange


def asked(client_order_id: str, price: str | None = "90", **more: object) -> OrderRequest:
    fields = {
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "quantity": Decimal("0.1"),
        "client_order_id": client_order_id,
        "order_type": OrderType.LIMIT if price else OrderType.MARKET,
        "price": Decimal(price) if price else None,
    }
    return OrderRequest(**(fields | more))


def scope(**wanted: object) -> CancelScope:
    return CancelScope(**{"symbol": "BTCUSDT", "strategy": "SQ1", "within_s": 10.0, **wanted})


async def end(exchange: RemoteExchange, *, answer: bool = True, **wanted: object) -> tuple[int, str]:
    """Run the command; its exit code and what it printed."""
    console = Console(file=io.StringIO(), width=300)

    async def confirm(question: str) -> bool:
        console.print(question)
        return answer

    code = await cancel_and_flatten(exchange, scope(**wanted), console, confirm=confirm)
    return code, console.file.getvalue()


async def interrupted(made: Rig, exchange: RemoteExchange, **wanted: object) -> str:
    """Run the command until it has halted trading, end it as Ctrl-C does, and return what it printed."""
    console = Console(file=io.StringIO(), width=300)
    ending = asyncio.create_task(cancel_and_flatten(exchange, scope(**wanted), console, confirm=None))
    await eventually(made.connector.halts.standing)
    await asyncio.wait({ending}, timeout=0.5)  # so that the response to the halt has arrived
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    return console.file.getvalue()


async def open_ids(made: Rig) -> set[str]:
    return {order.client_order_id for order in await made.venue.get_open_orders("BTCUSDT")}


async def test_our_orders_go_and_foreign_ones_stay(made, maker, exchange) -> None:
    """F30: somebody else's order is not canceled."""
    for client_order_id in (OURS, OURS_TOO, FOREIGN):
        await maker.place_order(asked(client_order_id))
    code, said = await end(exchange)
    assert (code, await open_ids(made)) == (0, {FOREIGN})
    assert "2 orders on BTCUSDT ended" in said


async def test_everything_means_everything(made, maker, exchange) -> None:
    await maker.place_order(asked(FOREIGN))
    await made.venue.place_order(asked("beside"))
    assert (await end(exchange, everything=True))[0] == 0
    assert not await open_ids(made)


async def test_everything_without_a_symbol_finds_each_symbol(made, maker, exchange) -> None:
    """F39: by what is open, what is in flight and what is held."""
    await maker.place_order(asked(FOREIGN))
    await maker.place_order(asked("eth", price=None, symbol="ETHUSDT"))
    code, said = await end(exchange, everything=True, flatten=True, symbol="")
    assert (code, await made.venue.get_open_orders(), await made.venue.get_positions()) == (0, [], [])
    assert "position of ETHUSDT closed" in said


async def test_nothing_is_touched_without_a_yes(made, maker, exchange) -> None:
    await maker.place_order(asked(OURS))
    code, said = await end(exchange, answer=False)
    assert (code, "1 order on BTCUSDT" in said) == (1, True)
    assert await open_ids(made) == {OURS}
    assert made.connector.halts.standing() == ()


async def test_a_position_stays_unless_it_is_to_be_flattened(made, maker, exchange) -> None:
    await maker.place_order(asked(OURS, price=None))
    code, said = await end(exchange)
    assert (code, "nothing to do: no such order is open or in flight" in said) == (0, True)
    [position] = await made.venue.get_positions("BTCUSDT")
    assert position.quantity == Decimal("0.1")


async def test_flatten_closes_what_is_held(made, maker, exchange) -> None:
    await maker.place_order(asked(OURS, price=None))
    code, said = await end(exchange, flatten=True)
    [position] = await made.venue.get_positions("BTCUSDT")
    assert (code, position.quantity) == (0, 0)
    assert "a position of 0.1 BTCUSDT" in said


async def flying(made: Rig, maker: RemoteExchange, client_order_id: str, **more: object) -> asyncio.Task[Order]:
    """Place an order that the venue does not answer yet."""
    made.venue.gate.clear()
    placing = asyncio.create_task(maker.place_order(asked(client_order_id, **more)))
    await eventually(lambda: made.venue.held)
    return placing


@pytest.mark.parametrize("everything", [False, True], ids=["ours", "everything"])
async def test_an_order_in_flight_is_waited_for_and_ended(made, maker, exchange, everything: bool) -> None:
    """F39: the venue shows nothing, so the old kill switch said that there was nothing to do."""
    placing = await flying(made, maker, OURS)
    ending = asyncio.create_task(end(exchange, everything=everything))
    await asyncio.wait({ending}, timeout=1)
    assert not ending.done()
    made.venue.gate.set()
    code, said = await ending
    await placing
    assert (code, await open_ids(made)) == (0, set())
    assert "1 order on BTCUSDT ended" in said


async def test_a_position_of_an_order_in_flight_is_closed(made, maker, exchange) -> None:
    """F39: it fills after the command has begun."""
    placing = await flying(made, maker, OURS, price=None)
    ending = asyncio.create_task(end(exchange, flatten=True))
    await eventually(lambda: made.connector.halts.standing())
    made.venue.gate.set()
    code, _ = await ending
    await placing
    [position] = await made.venue.get_positions("BTCUSDT")
    assert (code, position.quantity) == (0, 0)


async def test_an_order_in_flight_that_is_never_answered_is_named_and_ends_with_1(made, maker, exchange) -> None:
    """F39: what is not proven is not done."""
    placing = await flying(made, maker, OURS)
    code, said = await end(exchange, within_s=5.0)
    assert code == 1
    assert "not proven within 5 s: still there: 1 order in flight on BTCUSDT" in said
    assert f"in flight: {OURS} on BTCUSDT" in said
    made.venue.gate.set()
    await placing


async def test_a_venue_that_can_not_be_asked_is_no_proof(made, exchange) -> None:
    """F39, F3: it says so and ends with 1."""
    made.venue.fail_next(Unreachable("no route to the venue"), times=10_000)
    code, said = await end(exchange, answer=True, flatten=True, within_s=5.0)
    assert code == 1
    assert "nothing is left as far as is known, but not all is known" in said
    assert "which orders are open is not known: no route to the venue" in said
    assert "which positions are held is not known: no route to the venue" in said


async def test_new_orders_are_refused_while_it_runs_and_taken_again_afterwards(made, maker, exchange) -> None:
    """F39: orders of others would make its end a race."""
    placing = await flying(made, maker, OURS)
    ending = asyncio.create_task(end(exchange))
    await eventually(lambda: made.connector.halts.standing())
    with pytest.raises(TradingHalted, match="opensqt cancel-all"):
        await maker.place_order(asked("meanwhile"))
    made.venue.gate.set()
    assert (await ending)[0] == 0
    await placing
    assert (await maker.place_order(asked("meanwhile"))).client_order_id == "meanwhile"


async def test_hold_leaves_trading_halted_until_resume(made, maker, exchange) -> None:
    """F39: a market maker that runs on would lay its grid again."""
    code, said = await end(exchange, hold=True)
    assert (code, "`opensqt resume` lifts it" in said) == (0, True)
    with pytest.raises(TradingHalted):
        await maker.place_order(asked("late"))
    shown = Console(file=io.StringIO(), width=300)
    assert await status.show(exchange, "", shown) == 1
    assert "TRADING IS HALTED: BTCUSDT, by opensqt since" in shown.file.getvalue()
    assert await status.show(exchange, "ETHUSDT", shown) == 0
    console = Console(file=io.StringIO(), width=300)
    assert await resume(exchange, "", console) == 0
    assert "resumed: BTCUSDT, by opensqt since" in console.file.getvalue()
    assert (await maker.place_order(asked("late"))).client_order_id == "late"


async def test_one_query_that_finds_nothing_is_no_proof(exchange) -> None:
    """F39: the time is over before a second one, which has to agree, could be made."""
    remaining = await KillSwitch(exchange, scope(within_s=3.0), pause_s=(60.0, 60.0)).run()
    assert (remaining.nothing, remaining.orders) == (False, ())


async def test_a_command_that_is_interrupted_names_what_is_not_proven(made, maker, exchange) -> None:
    """F39: whoever presses Ctrl-C has to know that an order is still on its way."""
    placing = await flying(made, maker, OURS)
    said = await interrupted(made, exchange)
    assert "interrupted, not proven: still there: 1 order in flight on BTCUSDT" in said
    assert f"in flight: {OURS} on BTCUSDT" in said
    assert made.connector.halts.standing() == ()
    made.venue.gate.set()
    await placing


async def test_a_command_that_is_interrupted_says_that_trading_stays_halted(made, maker, exchange) -> None:
    """F39: with --hold the halt outlasts the command, however that ends."""
    placing = await flying(made, maker, OURS)
    said = await interrupted(made, exchange, hold=True)
    assert "trading stays halted; `opensqt resume` lifts it" in said
    assert made.connector.halts.standing()
    made.venue.gate.set()
    await placing


async def test_resume_without_a_halt_says_so(exchange) -> None:
    console = Console(file=io.StringIO())
    assert await resume(exchange, "", console) == 0
    assert console.file.getvalue() == "nothing was halted\n"


async def test_resume_leaves_a_halt_to_the_command_that_runs(exchange) -> None:
    """F39: it would let orders in behind its back."""
    await exchange.halt_trading("busy", ttl_s=60)
    console = Console(file=io.StringIO(), width=300)
    assert await resume(exchange, "", console) == 1
    assert "still halted: all trading, by opensqt since" in console.file.getvalue()


async def test_a_lifted_halt_is_no_proof_any_more(made, maker, exchange) -> None:
    """F39: somebody lifted it while the command ran, and orders may have come in between two looks."""
    placing = await flying(made, maker, OURS)
    ending = asyncio.create_task(end(exchange))
    (halt,) = await eventually(made.connector.halts.standing)
    await maker.resume_trading(halt.halt_id)
    made.venue.gate.set()
    code, said = await ending
    await placing
    assert (code, "the halt was lifted meanwhile" in said) == (1, True)


async def test_what_can_not_be_closed_is_named_with_the_reason(made, maker, exchange) -> None:
    await maker.place_order(asked(OURS, price=None))
    made.venue.fail_next(OrderRejected("the market is closed"), on="place_order", times=1_000)
    code, said = await end(exchange, flatten=True, within_s=5.0)
    assert code == 1
    assert "still there: a position of 0.1 BTCUSDT" in said
    assert "closing 0.1 BTCUSDT: the market is closed" in said


async def test_a_hold_that_was_refused_is_not_reported_as_one(tmp_path) -> None:
    """F39: who reads that trading stays halted does not look after it any more."""
    async with guarded(tmp_path, {"name": "page", "role": "read"}, venue=Venue()) as made:
        async with RemoteExchange(settings(made, "", token=token("page"))) as exchange:
            code, said = await end(exchange, hold=True)
        assert made.connector.halts.standing() == ()
    assert (code, "trading could not be halted" in said) == (1, True)
    assert "stays halted" not in said


async def test_who_may_not_halt_cancels_all_the_same_and_says_what_that_leaves_open(tmp_path) -> None:
    """F39: a token for one symbol, and a command for all of them."""
    limited = {"name": "maker", "role": "trade", "symbols": ["BTCUSDT"]}
    async with guarded(tmp_path, limited, venue=Venue()) as made:
        reached = settings(made, "", token=token("maker"))
        async with RemoteExchange(reached) as exchange:
            await exchange.place_order(asked(OURS))
            code, said = await end(exchange, symbol="")
        assert await open_ids(made) == set()
    assert (code, "trading could not be halted" in said) == (1, True)
    assert "the halt of trading ends by itself" not in said, "there is none"
