"""The store on real databases: what is committed is there after a restart, exactly."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from opensqt.market_maker.orders.state import Changes, Header, Stored, Totals
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import ConfigError
from opensqt.model.order import Fee, FillKind
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
