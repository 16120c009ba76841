"""What `opensqt status` shows of a whole exchange in memory."""

from __future__ import annotations

import asyncio
import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from rich.console import Console

from opensqt.cli.status import format_age, format_amount, format_decimal, format_time, show
from opensqt.model.account import Account, AccountNotice, NoticeKind
from opensqt.model.countdown import ArmedCountdown, DeadMachineStatus, ElapsedCountdown
from opensqt.model.errors import PermissionDenied, Unreachable, Unsupported
from opensqt.model.order import OrderRequest, OrderType, Side
from opensqt.model.venue import Channel, Check, ExchangeInfo, ExchangeStatus, RateBudget, RateLimit
from opensqt.testing.exchange import InMemoryExchange


async def shown(exchange: InMemoryExchange, symbol: str = "") -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=200)
    return await show(exchange, symbol, console), console.file.getvalue()


@pytest.fixture
async def exchange():
    async with InMemoryExchange() as exchange:
        exchange.set_price("BTCUSDT", Decimal("45000"), Decimal("45000.1"))
        yield exchange


async def test_a_healthy_account_without_orders_ends_with_0(exchange) -> None:
    code, text = await shown(exchange)
    assert code == 0
    assert "memory" in text
    assert ": healthy" in text
    assert "no position" in text
    assert "no open order" in text


async def test_a_sick_exchange_ends_with_1_and_its_reason(exchange) -> None:
    """F31: health never says yes while a part is dead."""
    exchange.set_unhealthy("the private stream is silent")
    code, text = await shown(exchange)
    assert code == 1
    assert "NOT healthy" in text
    assert "the private stream is silent" in text


async def test_notices_about_the_account_are_shown(exchange, monkeypatch) -> None:
    text = "the maintenance margin of 80 is near the equity of 100 USDT"
    notice = AccountNotice(kind=NoticeKind.MARGIN_CALL, text=text, received_ns=1_700_000_000_000_000_000)
    status = replace(await exchange.get_status(), notices=(notice,))

    async def get_status() -> ExchangeStatus:
        return status

    monkeypatch.setattr(exchange, "get_status", get_status)
    _, printed = await shown(exchange)
    assert f"MARGIN_CALL at 22:13:20 UTC: {text}" in printed


async def test_positions_and_orders_are_shown(exchange) -> None:
    for name, price, kind in (("a1", None, OrderType.MARKET), ("b2", "44000", OrderType.LIMIT)):
        await exchange.place_order(
            OrderRequest(
                symbol="BTCUSDT",
                side=Side.BUY,
                quantity=Decimal("0.012"),
                client_order_id=name,
                order_type=kind,
                price=Decimal(price) if price else None,
            )
        )
    _, text = await shown(exchange, "BTCUSDT")
    assert "open orders (1)" in text
    assert "44000" in text
    assert "b2" in text
    assert text.count("0.012") == 2


class Gateway(InMemoryExchange):
    """An account whose exchange is behind a connector."""

    status = ExchangeStatus(
        checks=(Check(name="venue", ok=True),),
        channels=(
            Channel(name="orders", connected=True),
            Channel(name="price:BTCUSDT", connected=False, data_age_ms=240_000),
        ),
        clock_offset_ms=-31,
        unresolved_orders=1,
    )

    async def get_status(self) -> ExchangeStatus:
        return self.status

    async def get_rate_budget(self) -> RateBudget:
        limit = RateLimit(name="weight", limit=2400, left=300, window_s=60.0, used_by_client=1500)
        return RateBudget(limits=(limit,), client="alice", waiting=3, silent_s=8.2)


async def test_streams_clock_and_unproven_orders_are_shown() -> None:
    """F13, F24, F1: what a person looks for when something is odd."""
    async with Gateway() as exchange:
        _, text = await shown(exchange)
    assert "the exchange's clock is 31 ms behind ours; 1 order with an outcome not proven yet" in text
    assert row(text, "orders") == ["orders", "connected", "never"]
    assert row(text, "price:BTCUSDT") == ["price:BTCUSDT", "NOT CONNECTED", "4 min ago"]


async def test_tasks_that_run_take_one_row_and_a_dead_one_its_own() -> None:
    """F31: health never says yes while a part is dead."""

    class Half(Gateway):
        status = ExchangeStatus(
            checks=(
                *(Check(name=f"task:{name}", ok=True) for name in ("reconcile", "clock")),
                Check(name="task:watchdog", ok=False, reason="was cancelled"),
            )
        )

    async with Half() as exchange:
        _, text = await shown(exchange)
    assert row(text, "tasks") == ["tasks", "ok", "", "2 running"]
    assert row(text, "task:watchdog") == ["task:watchdog", "FAILED", "", "was cancelled"]


async def test_the_rate_budget_tells_ones_own_part_and_the_others() -> None:
    """F16: the venue's limits are kept, no ban follows, and cancels still pass."""
    async with Gateway() as exchange:
        _, text = await shown(exchange)
    title = "rate limits, as alice uses them; 3 of its requests wait; PAUSED for 8 s, as the exchange requires"
    assert title in " ".join(text.split())
    assert row(text, "weight") == ["weight", "60 s", "2,400", "1,500", "600", "300"]


async def test_a_sick_exchange_that_can_not_tell_its_account_still_shows_why() -> None:
    """F31: the checks are what one looks for then."""

    class Sick(Gateway):
        status = ExchangeStatus(checks=(Check(name="venue", ok=False, reason="has not answered for 13 s"),))

        async def get_account(self) -> Account:
            raise Unreachable("nothing was answered")

    async with Sick() as exchange:
        code, text = await shown(exchange)
    assert code == 1
    assert "has not answered for 13 s" in text
    assert "the account could not be read: nothing was answered" in text


async def test_a_refusal_is_what_is_shown_though_another_failure_came_first() -> None:
    class Refused(Gateway):
        async def get_exchange_info(self) -> ExchangeInfo:
            await asyncio.sleep(0)
            raise PermissionDenied("the role read may not")

        async def get_rate_budget(self) -> RateBudget:
            raise Unsupported("Method not implemented!")

    async with Refused() as exchange:
        with pytest.raises(PermissionDenied):
            await shown(exchange)


class Protected(InMemoryExchange):
    """A whole exchange behind a connector that keeps countdowns armed, or does not."""

    dead_machine = DeadMachineStatus(timeout_s=0, cancels="")

    async def get_status(self) -> ExchangeStatus:
        return replace(await super().get_status(), dead_machine=self.dead_machine)


async def test_it_shows_until_when_and_for_whom_countdowns_are_armed() -> None:
    """F46: orders outlive the machine."""
    async with Protected() as exchange:
        exchange.dead_machine = DeadMachineStatus(
            timeout_s=30,
            cancels="every order of the symbol",
            countdowns=(
                ArmedCountdown(symbol="BTCUSDT", armed_until_ms=1640995200000, clients=("maker", "taker")),
                ArmedCountdown(symbol="ETHUSDT", armed_until_ms=0, clients=("maker",), trouble="refused"),
            ),
            elapsed=(ElapsedCountdown(symbol="BTCUSDT", ended_ms=1640995200000, canceled_orders=7),),
        )
        _, text = await shown(exchange)
        assert "the exchange cancels after 30 s: every order of the symbol" in text
        assert row(text, "BTCUSDT") == ["BTCUSDT", "00:00:00", "maker, taker", ""]
        assert row(text, "ETHUSDT") == ["ETHUSDT", "NOT ARMED", "maker", "refused"]
        assert "the countdown of BTCUSDT ran out at 00:00:00 UTC; orders that the exchange canceled: 7" in text


async def test_it_says_that_orders_outlive_the_machine() -> None:
    async with Protected() as exchange:
        _, text = await shown(exchange)
        assert "orders outlive this machine" in text


def row(text: str, name: str) -> list[str]:
    """The cells of the table row that begins with *name*."""
    rows = ([cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in text.splitlines())
    return next(cells for cells in rows if cells and cells[0] == name)


def test_ages_are_written_for_people() -> None:
    assert [format_age(None), format_age(40), format_age(119_000), format_age(180_000)] == [
        "never",
        "0.0 s ago",
        "119.0 s ago",
        "3 min ago",
    ]


def test_numbers_are_formatted_for_people() -> None:
    assert (format_amount(Decimal("1234.5")), format_amount(None)) == ("1,234.50", "-")
    assert (format_decimal(Decimal("0.00100")), format_decimal(Decimal("1E+3"))) == ("0.001", "1000")
    assert (format_time(0), format_time(1640995200000)) == ("", "00:00:00")
