"""The dead-machine switch: armed before the first order under a lease, renewed, stopped, and told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.connector.orders.dead_machine import DeadMachineSwitch
from opensqt.connector.orders.journal import Journal
from opensqt.connector.orders.leases import Leases
from opensqt.connector.orders.manager import OrderManager
from opensqt.connector.orders.resolver import Resolver
from opensqt.connector.tasks import Tasks
from opensqt.model.client_context import on_behalf_of
from opensqt.model.clock import Clock, now_ms, now_ns
from opensqt.model.countdown import CountdownRules
from opensqt.model.errors import ConfigError, OutcomeUnknown, Unreachable
from opensqt.model.order import Order, OrderRef, OrderRequest, Side
from opensqt.testing.exchange import InMemoryExchange
from tests.support import eventually

SYMBOL, ETHER = "BTCUSDT", "ETHUSDT"
BY_SYMBOL = CountdownRules(by_symbol=True, cancels="the orders of a symbol", shortest_s=10, longest_s=120)
OF_ACCOUNT = CountdownRules(by_symbol=False, cancels="the orders of the account", shortest_s=10, longest_s=120)


class CountingExchange(InMemoryExchange):
    """A venue that writes down what its countdown was set to, and refuses it on demand."""

    def __init__(self, rules: CountdownRules | None = BY_SYMBOL, clock: Clock = now_ns) -> None:
        super().__init__(clock=clock)
        self.countdown_rules = rules
        self.set: list[tuple[str, int]] = []
        self.placed: list[str] = []
        self.refuses: Exception | None = None

    async def prepare_countdown(self, timeout_s: int) -> None:
        return

    async def set_countdown(self, symbol: str, timeout_s: int) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.set.append((symbol, timeout_s))

    async def place_order(self, request: OrderRequest) -> Order:
        self.placed.append(f"{request.symbol} after {len(self.set)}")
        return await super().place_order(request)


class Seconds:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Bench:
    """A switch with what it stands on."""

    def __init__(self, venue: CountingExchange, journal: Journal, tasks: Tasks, timeout_s: int) -> None:
        self.venue = venue
        self.journal = journal
        self.clock = Seconds()
        self.leases = Leases()
        self.manager = OrderManager(
            venue,
            journal,
            tasks,
            Resolver(),
            refusal=self.leases.refusal,
            guard=lambda client, requests: self.switch.refusals(client, requests),
        )
        own = self.manager.own
        self.ahead_ms = 0
        """Of the wall clock."""
        self.switch = DeadMachineSwitch(
            timeout_s,
            venue,
            self.leases,
            own,
            journal,
            tasks,
            clock_s=self.clock,
            wall_ms=lambda: now_ms() + self.ahead_ms,
        )

    async def place(self, client: str, name: str, symbol: str = SYMBOL, **more: object) -> Order:
        fields = {"symbol": symbol, "side": Side.BUY, "quantity": Decimal("0.1"), "price": Decimal(99)}
        with on_behalf_of(client):
            return await self.manager.place(OrderRequest(**(fields | {"client_order_id": name} | more)), wait_s=60)

    async def set_to(self, *wanted: tuple[str, int]) -> None:
        await eventually(lambda: self.venue.set == [*wanted], what=f"the countdowns {wanted}, not {self.venue.set}")

    async def recorded_orders(self) -> bool:
        """Whether the journal holds both orders of the countdown: nobody waits for that commit."""
        query = "SELECT orders FROM countdown"
        (row,) = await self.journal.execute(lambda database: database.execute(query).fetchall())
        return len(json.loads(row[0])) == 2

    def red(self) -> str:
        (check,) = self.switch.checks()
        return "" if check.ok else check.reason


@asynccontextmanager
async def bench(folder: Path, rules: CountdownRules | None = BY_SYMBOL, timeout_s: int = 30) -> AsyncIterator[Bench]:
    venue, tasks, journal = CountingExchange(rules), Tasks(), Journal(str(folder / "journal.db"))
    for symbol in (SYMBOL, ETHER):
        venue.set_price(symbol, Decimal(100), Decimal("100.1"))
    await journal.open()
    made = Bench(venue, journal, tasks, timeout_s)
    try:
        await made.manager.start()
        await made.switch.start()
        yield made
        assert tasks.checks() == []
    finally:
        await tasks.close()
        await venue.close()
        await journal.close()


async def test_the_first_order_of_a_symbol_under_a_lease_waits_until_it_is_armed(tmp_path: Path) -> None:
    """F46: orders outlive the machine."""
    async with bench(tmp_path) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("maker", "a")
        await made.place("maker", "b")
        await made.place("maker", "c", ETHER)
        assert made.venue.set == [(SYMBOL, 30), (ETHER, 30)]
        assert made.venue.placed == ["BTCUSDT after 1", "BTCUSDT after 1", "ETHUSDT after 2"]


async def test_an_order_without_a_lease_needs_no_countdown(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("other", "a")
        assert made.venue.set == []


async def test_a_venue_with_one_countdown_for_the_account_gets_one(tmp_path: Path) -> None:
    async with bench(tmp_path, OF_ACCOUNT) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("maker", "a")
        await made.place("maker", "b", ETHER)
        assert made.venue.set == [("", 30)]


async def test_a_client_that_takes_a_lease_has_its_open_orders_under_it_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        await made.place("maker", "a")
        assert made.venue.set == []
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.set_to((SYMBOL, 30))


async def test_it_is_renewed_each_third_of_the_time(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("maker", "a")
        made.clock.now_s += 10
        await made.set_to((SYMBOL, 30), (SYMBOL, 30))
        made.clock.now_s += 10
        await made.set_to((SYMBOL, 30), (SYMBOL, 30), (SYMBOL, 30))


async def test_it_is_stopped_when_the_last_lease_is_given_up(tmp_path: Path) -> None:
    """F30: an order that may stay is not canceled."""
    async with bench(tmp_path) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("maker", "a")
        made.leases.renew("maker", 0, number=0, now_ms=1)
        await made.set_to((SYMBOL, 30), (SYMBOL, 0))
        await eventually(lambda: made.switch.status().countdowns == ())


async def test_a_symbol_without_orders_is_stopped_when_it_would_be_renewed(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("maker", "a")
        await made.manager.cancel(OrderRef(symbol=SYMBOL, client_order_id="a"))
        made.clock.now_s += 10
        await made.set_to((SYMBOL, 30), (SYMBOL, 0))


async def test_it_stays_armed_while_the_orders_of_an_ended_lease_are_canceled(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.leases.renew("maker", 1_000, number=0, now_ms=1)
        await made.place("maker", "a")
        assert made.leases.pass_time(2) == ["maker"]
        made.clock.now_s += 10
        await made.set_to((SYMBOL, 30), (SYMBOL, 30))


async def test_what_can_not_be_armed_is_not_sent_and_turns_the_check_red(tmp_path: Path) -> None:
    """F46: orders outlive the machine."""
    async with bench(tmp_path) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        made.venue.refuses = Unreachable("the venue is away")
        with pytest.raises(Unreachable, match="not sent: the exchange's countdown can't be armed for BTCUSDT"):
            await made.place("maker", "a")
        assert made.venue.placed == []
        assert "BTCUSDT: the venue is away" in made.red()
        assert made.switch.failures == 1
        made.venue.refuses = None
        made.clock.now_s += 1
        await made.place("maker", "a")
        assert made.red() == ""


async def test_an_order_that_reduces_a_position_is_never_held_back(tmp_path: Path) -> None:
    """What guards entries keeps no exits away."""
    async with bench(tmp_path) as made:
        await made.place("maker", "a", price=Decimal(101))
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        made.venue.refuses = Unreachable("the venue is away")
        await made.place("maker", "b", side=Side.SELL, price=Decimal(110), reduce_only=True)
        assert len(made.venue.placed) == 2


async def test_a_batch_is_sent_but_for_the_symbols_that_could_not_be_armed(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("maker", "a")
        made.venue.refuses = OutcomeUnknown("no response")
        fields = {"side": Side.BUY, "quantity": Decimal("0.1"), "price": Decimal(99)}
        with on_behalf_of("maker"):
            outcomes = await made.manager.place_batch(
                [OrderRequest(symbol=symbol, client_order_id=f"batch{symbol}", **fields) for symbol in (ETHER, SYMBOL)],
                wait_s=60,
            )
        assert [type(one) for one in outcomes] == [Unreachable, Order]


async def test_a_failed_renewal_turns_the_check_red_when_a_third_of_the_time_is_left(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("maker", "a")
        made.venue.refuses = Unreachable("the venue is away")
        made.clock.now_s += 12
        await eventually(lambda: made.switch.failures)
        (check,) = made.switch.checks()
        assert check.ok
        assert "the venue is away" in check.reason
        await made.place("maker", "b")
        made.clock.now_s += 9
        assert "the venue is away" in made.red()


async def test_one_that_ran_out_holds_orders_back_and_is_told_with_what_the_venue_canceled(tmp_path: Path) -> None:
    """F46: also where the machine only slept: the venue canceled, and nobody may believe otherwise."""
    async with bench(tmp_path) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        made.ahead_ms = -31_000  # so that it ends a moment ago
        await made.place("maker", "a")
        await made.place("maker", "b")
        made.clock.now_s += 10
        await made.set_to((SYMBOL, 30), (SYMBOL, 30))
        made.venue.refuses = Unreachable("the venue is away")
        await made.venue.cancel_order(OrderRef(symbol=SYMBOL, client_order_id="a"))
        made.clock.now_s += 31
        with pytest.raises(Unreachable):
            await made.place("maker", "c")
        await eventually(lambda: made.switch.status().elapsed)
        assert made.switch.elapsed.canceled_orders == 1


async def test_the_next_run_finds_what_the_venue_canceled_after_a_death(tmp_path: Path) -> None:
    """F46: orders outlive the machine."""
    async with bench(tmp_path, timeout_s=10) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("maker", "a")
        await made.place("maker", "b")
        made.clock.now_s += 4
        await made.set_to((SYMBOL, 10), (SYMBOL, 10))
        await eventually(made.recorded_orders)
        orders = await made.venue.get_open_orders()
    ended_ms = now_ms() - 60_000
    async with bench_after(tmp_path, orders, ended_ms) as made:
        await eventually(lambda: made.switch.status().elapsed)
        (ended,) = made.switch.status().elapsed
        assert (ended.symbol, ended.canceled_orders) == (SYMBOL, 2)
        assert made.switch.elapsed.canceled_orders == 2


async def test_a_run_that_begins_too_late_to_renew_it_reports_it_too(tmp_path: Path) -> None:
    """F46: the venue cancels while the next run starts."""
    async with bench(tmp_path, timeout_s=10) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("maker", "a")
        await made.place("maker", "b")
        made.clock.now_s += 4
        await made.set_to((SYMBOL, 10), (SYMBOL, 10))
        await eventually(made.recorded_orders)
        orders = await made.venue.get_open_orders()
    async with bench_after(tmp_path, orders, now_ms() + 1_500) as made:
        assert made.switch.status().elapsed == ()
        await eventually(lambda: made.switch.status().elapsed)


@asynccontextmanager
async def bench_after(folder: Path, orders: list[Order], ends_ms: int) -> AsyncIterator[Bench]:
    """The run after a death: the same journal, at a venue that has canceled the orders."""
    journal = Journal(str(folder / "journal.db"))
    await journal.open()
    await journal.execute(lambda database: database.execute("UPDATE countdown SET until_ms = ?", (ends_ms,)))
    await journal.close()
    venue, tasks = CountingExchange(clock=lambda: ends_ms * 1_000_000), Tasks()
    journal = Journal(str(folder / "journal.db"))
    venue.set_price(SYMBOL, Decimal(100), Decimal("100.1"))
    for order in orders:
        await venue.place_order(
            OrderRequest(
                symbol=order.symbol,
                side=order.side,
                quantity=order.quantity,
                price=order.price,
                client_order_id=order.client_order_id,
            )
        )
        await venue.cancel_order(OrderRef(symbol=order.symbol, client_order_id=order.client_order_id))
    await journal.open()
    made = Bench(venue, journal, tasks, 10)
    try:
        await made.manager.start()
        await made.switch.start()
        yield made
    finally:
        await tasks.close()
        await venue.close()
        await journal.close()


async def test_a_stop_renews_it_for_lease_holders_and_stops_the_rest(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("maker", "a")
        await made.place("maker", "b", ETHER)
        await made.manager.cancel(OrderRef(symbol=ETHER, client_order_id="b"))
        del made.venue.set[:]
        await made.switch.stop()
        assert sorted(made.venue.set) == [(SYMBOL, 30), (ETHER, 0)]


async def test_its_status_says_until_when_and_for_whom(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        for client in ("maker", "taker"):
            made.leases.renew(client, 60_000, number=0, now_ms=1)
            await made.place(client, client)
        await made.place("taker", "ether", ETHER)
        status = made.switch.status()
        assert (status.timeout_s, status.cancels) == (30, "the orders of a symbol")
        assert [(one.symbol, one.clients) for one in status.countdowns] == [
            (SYMBOL, ("maker", "taker")),
            (ETHER, ("taker",)),
        ]
        assert all(one.armed_until_ms for one in status.countdowns)
        assert made.switch.left_s() == {SYMBOL: 30, ETHER: 30}


@pytest.mark.parametrize(
    ("rules", "timeout_s", "error"),
    [(None, 30, "has no countdown"), (BY_SYMBOL, 9, "expected 10 to 120"), (BY_SYMBOL, 121, "expected 10 to 120")],
)
async def test_a_venue_that_can_not_do_it_ends_the_start(
    tmp_path: Path, rules: CountdownRules | None, timeout_s: int, error: str
) -> None:
    with pytest.raises(ConfigError, match=f"server.dead_machine_s {timeout_s}: .*{error}"):
        async with bench(tmp_path, rules, timeout_s):
            pytest.fail("started")


async def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    async with bench(tmp_path, None, 0) as made:
        made.leases.renew("maker", 60_000, number=0, now_ms=1)
        await made.place("maker", "a")
        assert made.venue.set == []
        assert made.switch.checks() == []
        assert made.switch.status().timeout_s == 0
