"""The history as rows for export, from either database."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opensqt.market_maker.orders.events import FundingBatch, MinuteBegan
from opensqt.market_maker.store import history
from opensqt.market_maker.store.history import HISTORIES, columns, read_history
from opensqt.market_maker.store.store import Store
from opensqt.model.order import FillKind
from tests.unit.market_maker.orders.test_accounting import PAID, by_venue
from tests.unit.market_maker.venue import SYMBOL, Bench


async def test_every_history_is_read_in_order_and_in_batches(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of the kinds that the columns name; a batch has no more than its size."""
    monkeypatch.setattr(history, "BATCH", 2)
    bench = Bench().start(1004)
    for level in (0, -1, -2):
        bench.fill(level)
    bench.tell(FundingBatch((PAID,), gap=False))
    bench.tell(MinuteBegan(60_000, Decimal(1)))
    bench.venue.fills.append(by_venue(FillKind.ADL, "0.010", "900"))
    bench.wait(61)
    store = await Store.open(url)
    for changes in bench.changes:
        await store.commit(SYMBOL, changes)
    found = {name: [batch async for batch in read_history(store, name, SYMBOL)] for name in HISTORIES}
    await store.close()
    assert [[row["trade_id"] for row in batch] for batch in found["fills"]] == [["1", "2"], ["3", "900"]]
    for name, batches in found.items():
        kinds = {column.name: column.kind for column in columns(name)}
        for row in (row for batch in batches for row in batch):
            assert {key for key, value in row.items() if value is not None and type(value) is not kinds[key]} == set()
        assert batches, name
