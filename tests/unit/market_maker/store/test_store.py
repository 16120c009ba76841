"""The store on real databases: what is committed is there after a restart, exactly."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from opensqt.market_maker.orders.events import FundingBatch, MinuteBegan
from opensqt.market_maker.orders.stored import Changes, Header, Stored, Totals
from opensqt.market_maker.risk.controls import RiskControls
from opensqt.market_maker.risk.settings import BreakerLimits, RiskLimits
from opensqt.market_maker.store.control_state import load_control
from opensqt.market_maker.store.store import Store
from opensqt.market_maker.store.writer import merged
from opensqt.model.errors import ConfigError, Unreachable
from opensqt.model.order import Fee, FillKind, Side
from tests.unit.market_maker.orders.test_accounting import PAID, by_venue
from tests.unit.market_maker.store.conftest import execute
from tests.unit.market_maker.venue import SYMBOL, Bench


async def reopened(url: str, *changes: Changes) -> Stored:
    """Commit in one store, load in another."""
    store = await Store.open(url)
    for one in changes:
        await store.commit(SYMBOL, one)
    await store.close()
    store = await Store.open(url)
    stored = await store.load(SYMBOL)
    await store.close()
    return stored


async def test_a_restart_finds_what_was_committed(url: str) -> None:
    """F9: anchor, sequence, slots, live orders, closed ones and counted trades."""
    bench = Bench().start(1004)
    bench.fill(0)
    bench.fill(-1, "0.010")
    stored = await reopened(url, *bench.changes)
    state = bench.engine.state
    assert stored.header == state.header
    assert {slot.level: (slot.quantity, slot.cost) for slot in stored.slots} == {
        level: (slot.quantity, slot.cost) for level, slot in state.slots.items() if slot.quantity
    }
    assert {order.client_order_id for order in stored.live_orders} == {
        order.client_order_id for order in state.live_orders()
    }
    assert stored.trade_ids == ("1", "2")
    assert len(stored.closed_orders) == 1


async def test_a_restart_finds_what_the_risk_controls_stored(url: str) -> None:
    """F9: an open breaker is open after a restart; the newest of several changes counts, each symbol has its own."""
    bench = Bench(risk=RiskControls(RiskLimits(breaker=BreakerLimits(losses_in_a_row=1)), symbol=SYMBOL)).start()
    bench.engine.risk.on_exit("exit", Decimal(-1), bench.now)
    bench.think()
    stored = await reopened(url, merged(bench.changes))
    again = RiskControls(bench.engine.risk.settings, symbol=SYMBOL)
    again.restore(stored.risk)
    assert again.triggered() == {"circuit_breaker": "1 exits in a row lost (losses_in_a_row 1)"}
    store = await Store.open(url)
    assert (await store.load("ETHUSDT")).risk == ""
    await store.close()


async def test_a_restart_finds_the_account(url: str) -> None:
    """F50: the sums, payments, foreign fills, fees that wait for a price, markouts and the day."""
    bench = Bench().start(1004)
    bench.fill(0)
    bench.venue.prices = {"BNB": Unreachable("no answer")}
    bench.venue.fills.append(by_venue(FillKind.ADL, "0.010", "900", fee_asset="BNB"))
    bench.tell(FundingBatch((PAID,), gap=False))
    bench.wait(61)
    bench.tell(MinuteBegan(86_400_000, Decimal(9_999)))
    accounting = bench.engine.state.accounting
    stored = (await reopened(url, *bench.changes)).accounting
    again = Bench(Stored(header=bench.engine.state.header, accounting=stored)).engine.state.accounting
    assert stored.ledger == accounting.ledger
    assert stored.ledger is not None
    assert stored.ledger.unpriced_fees == {"BNB": Decimal("0.01")}
    assert stored.payment_ids == (PAID.payment_id,)
    assert [fee.left for fee in stored.awaited] == [(("BNB", Decimal("0.01")),)]
    assert again.markouts.by_level == accounting.markouts.by_level != {}
    assert stored.day is not None
    assert stored.day.end.account_equity == 9_999


async def test_commits_written_again_as_one_leave_the_same_database(url: str) -> None:
    """F52: after a failover the last commits are written once more, as one, over what is there of them."""
    bench = Bench().start(1004)
    for minute, level in enumerate((0, -1, -2)):
        bench.fill(level)
        bench.tell(MinuteBegan(minute * 60_000, None))
        bench.wait(6)
    bench.tell(FundingBatch((PAID,), gap=False))
    bench.venue.fills.append(by_venue(FillKind.ADL, "0.010", "900"))
    bench.wait(61)
    store = await Store.open(url)
    for changes in bench.changes:
        await store.commit(SYMBOL, changes)
    before = await _everything(store)
    await store.commit(SYMBOL, merged(bench.changes), repeated=True)
    assert await _everything(store) == before
    await store.close()


async def _everything(store: Store) -> list[object]:
    reads = (store.fills, store.foreign_fills, store.funding, store.equity, store.days, store.markouts)
    return [await store.load(SYMBOL), *[await read(SYMBOL) for read in reads]]


async def test_a_fill_that_is_found_late_is_stored_in_its_place(url: str) -> None:
    """F50: what the fills after it realized is put right in the database too, over a restart."""
    bench = Bench().start(1004)
    bench.fill(0)
    early = by_venue(FillKind.ADL, "0.010", "900", 1)
    bench.fill(-1)
    (counted,) = [one for changes in bench.changes for one in changes.fills if one.level == -1]
    (sold,) = [order for order in bench.venue.open_orders if order.side is Side.SELL and order.price == 1010]
    bench.venue.fill(sold.client_order_id)
    bench.settle()
    stored = await reopened(url, *bench.changes)
    again = Bench(stored, bench.venue)
    again.engine.state.apply_foreign_fill(replace(early, trade_id="99", event_time_ms=counted.fill.event_time_ms - 1))
    changes = again.engine.state.take_changes()
    assert [trade.fill.trade_id for trade in changes.accounting.revised] == ["3"]
    store = await Store.open(url)
    await store.commit(SYMBOL, changes)
    parts = [one.average_profit for one in (*await store.fills(SYMBOL), *await store.foreign_fills(SYMBOL))]
    await store.close()
    ledger = again.engine.state.accounting.ledger
    assert ledger is not None
    assert sum(part or 0 for part in parts) == ledger.realized_total


async def test_the_history_is_read_by_time(url: str) -> None:
    """Fills, payments and minutes of a range: its start is part of it, its end is not."""
    bench = Bench().start(1004)
    bench.fill(0)
    bench.fill(-1)
    for minute in range(3):
        bench.tell(MinuteBegan(minute * 60_000, None))
    bench.tell(FundingBatch((PAID, replace(PAID, payment_id="78", event_time_ms=90)), gap=False))
    bench.venue.fills.append(by_venue(FillKind.ADL, "0.010", "900"))
    bench.wait(61)
    await reopened(url, *bench.changes)
    store = await Store.open(url)
    assert [one.fill.trade_id for one in await store.fills(SYMBOL, since_ms=2)] == ["2"]
    assert [one.fill.trade_id for one in await store.fills(SYMBOL, until_ms=2)] == ["1"]
    assert [one.payment_id for one in await store.funding(SYMBOL, since_ms=50, until_ms=90)] == [PAID.payment_id]
    assert [one.time_ms for one in await store.equity(SYMBOL, since_ms=60_000)] == [60_000, 120_000]
    assert [one.end.time_ms for one in await store.days(SYMBOL)] == [0]
    assert [one.fill.kind for one in await store.foreign_fills(SYMBOL)] == [FillKind.ADL]
    assert [one.trade_id for one in await store.markouts(SYMBOL)] == ["1", "2"]
    await store.close()


async def test_old_minutes_are_removed(url: str) -> None:
    """A row a minute would fill the disk; days and all else stay."""
    bench = Bench().start(1004)
    for minute in range(3):
        bench.tell(MinuteBegan(minute * 60_000, None))
    await reopened(url, *bench.changes)
    store = await Store.open(url)
    await store.remove_minutes(SYMBOL, before_ms=120_000)
    assert [one.time_ms for one in await store.equity(SYMBOL)] == [120_000]
    assert len(await store.days(SYMBOL)) == 1
    await store.close()


async def test_money_is_stored_to_the_last_digit(url: str) -> None:
    odd = Decimal("0.1234567890123456789012345678")
    header = Header(
        anchor=odd, interval=odd, sequence=2**40, watermark_ms=2**41, totals=Totals(fees={"BNB": odd}, profit=-odd)
    )
    stored = await reopened(url, Changes(header=header, slots=(), orders=(), fills=()))
    assert stored.header == header


async def test_a_fill_is_stored_once_or_the_commit_fails(url: str) -> None:
    """F8: a trade that is there already may not be counted again in silence."""
    bench = Bench().start(1004)
    bench.fill(0)
    store = await Store.open(url)
    for changes in bench.changes:
        await store.commit(SYMBOL, changes)
    again = next(changes for changes in bench.changes if changes.fills)
    with pytest.raises(IntegrityError):
        await store.commit(SYMBOL, again)
    assert len(await store.fills(SYMBOL)) == 1
    await store.close()


async def test_a_commit_that_fails_stores_nothing_of_it(url: str) -> None:
    """F32: all or none."""
    bench = Bench().start(1004)
    bench.fill(0)
    store = await Store.open(url)
    for changes in bench.changes:
        await store.commit(SYMBOL, changes)
    twice = next(changes for changes in bench.changes if changes.fills)
    assert bench.engine.state.header is not None
    header = replace(bench.engine.state.header, sequence=999_999)
    with pytest.raises(IntegrityError):
        await store.commit(SYMBOL, replace(twice, header=header))
    stored = await store.load(SYMBOL)
    assert stored.header == bench.engine.state.header
    await store.close()


async def test_two_market_makers_may_not_hold_one_grid(url: str) -> None:
    first, second = await Store.open(url), await Store.open(url)
    await first.hold(SYMBOL)
    with pytest.raises(ConfigError, match="another market maker trades BTCUSDT"):
        await second.hold(SYMBOL)
    await second.hold("ETHUSDT")
    await first.close()
    await second.close()


async def test_a_grid_can_be_held_again_after_its_holder_is_gone(url: str) -> None:
    first = await Store.open(url)
    await first.hold(SYMBOL)
    await first.close()
    second = await Store.open(url)
    await second.hold(SYMBOL)
    await second.close()


async def test_the_cause_and_every_fee_of_a_fill_are_stored(url: str) -> None:
    """F36: what was paid in another asset outlasts a restart."""
    bench = Bench().start(1004)
    bench.fill(0)
    (changes,) = [one for one in bench.changes if one.fills]
    (counted,) = changes.fills
    fees = (Fee("POINT", Decimal("1.5")), Fee("BNB", Decimal("0.0001")))
    complete = replace(counted, fill=replace(counted.fill, kind=FillKind.ADL, other_fees=fees))
    await reopened(url, replace(changes, fills=(complete,)))
    store = await Store.open(url)
    (stored,) = await store.fills(SYMBOL)
    await store.close()
    assert (stored.fill.kind, stored.fill.other_fees) == (FillKind.ADL, fees)


async def test_a_database_that_cannot_be_opened_is_told_without_its_password() -> None:
    """F33: no secret shows in a log, an error or a page."""
    with pytest.raises(ConfigError) as told:
        await Store.open("postgresql://me:canary-password@127.0.0.1:1/none")
    assert "canary-password" not in str(told.value)
    assert "app.database_url" in str(told.value)


async def test_the_file_and_its_log_are_the_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        store = await Store.open(f"sqlite:///{tmp_path}/data/grid.db")
    finally:
        os.umask(before)
    bench = Bench().start(1004)
    for changes in bench.changes:
        await store.commit(SYMBOL, changes)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    await store.close()
    assert found["grid.db"] == found["grid.db-wal"] == 0o600
    assert set(found.values()) == {0o600}


async def test_a_path_that_is_a_folder_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"app\.database_url: .* can't be opened: Is a directory"):
        await Store.open(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE slots SET quantity = 'x'",
        "UPDATE orders SET status = 'ODD'",
        "UPDATE grids SET anchor = ''",
        f"INSERT OR REPLACE INTO meta VALUES ('risk:{SYMBOL}', '{{')",
        f"INSERT OR REPLACE INTO meta VALUES ('control:{SYMBOL}', '{{')",
    ],
)
async def test_a_damaged_row_is_named_with_what_to_do(tmp_path: Path, damage: str) -> None:
    """F44: a row that can't be read is no traceback, and says whose it is."""
    url = f"sqlite:///{tmp_path}/grid.db"
    bench = Bench().start(1004)
    bench.fill(0)
    await reopened(url, *bench.changes)
    await execute(url, damage)
    store = await Store.open(url)
    with pytest.raises(ConfigError, match=f"app.database_url: .* of {SYMBOL} .*can't be read .*; restore a copy"):  # noqa: PT012 - either
        await store.load(SYMBOL)
        await load_control(store, SYMBOL)
    await store.close()
