"""The account of a grid in the database: written together with the other changes, read by a restart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opensqt.market_maker.orders.account_changes import AccountingChanges, ForeignFill, StoredAccounting
from opensqt.market_maker.orders.accounting import REMEMBERED_PAYMENTS
from opensqt.market_maker.orders.slots import Slot
from opensqt.market_maker.orders.stored import Header
from opensqt.market_maker.profit.entry import AverageEntry
from opensqt.market_maker.profit.fees import AwaitedFee
from opensqt.market_maker.profit.ledger import ProfitLedger
from opensqt.market_maker.profit.markout import HORIZONS_S, Markout
from opensqt.market_maker.profit.rebuild import rebuilt
from opensqt.market_maker.profit.sequence import KEPT, CountedTrade
from opensqt.market_maker.profit.snapshot import ProfitDay, ProfitSnapshot
from opensqt.market_maker.store import rows, schema
from opensqt.model.funding import FundingPayment
from opensqt.model.order import PositionSide, Side

REMEMBERED_MARKOUTS = 20_000
"""Fills whose markouts a restart sums up."""
MID_COLUMNS = tuple(f"mid_{seconds}s" for seconds in HORIZONS_S)
Insert = Callable[[Table], Any]
"""The `insert` of the database's dialect, with `on_conflict_do_update`."""


async def write(connection: AsyncConnection, insert: Insert, symbol: str, changes: AccountingChanges) -> None:
    """Write the changes of an account. Repeated, it writes nothing twice."""
    if changes.ledger is not None:
        await _put(connection, insert, schema.profit, [ledger_row(symbol, changes.ledger, changes.awaited)])
    await _put(connection, insert, schema.foreign_fills, [foreign_fill_row(one) for one in changes.foreign_fills])
    await _put(connection, insert, schema.funding, [funding_row(payment) for payment in changes.payments])
    await _put(connection, insert, schema.markouts, [markout_row(symbol, one) for one in changes.markouts])
    minutes = [{"symbol": symbol, "minute_ms": one.time_ms, **snapshot_row(one)} for one in changes.minutes]
    await _put(connection, insert, schema.equity, minutes)
    if changes.day is not None:
        await _put(connection, insert, schema.days, [day_row(symbol, changes.day)])
    for valued in changes.fees_valued:
        table = schema.foreign_fills if valued.foreign else schema.fills
        where = (table.c.symbol == symbol, table.c.trade_id == valued.trade_id)
        await connection.execute(update(table).where(*where).values(fees_value=valued.value))
    for trade in changes.revised:
        table = schema.foreign_fills if trade.foreign else schema.fills
        where = (table.c.symbol == symbol, table.c.trade_id == trade.fill.trade_id)
        await connection.execute(update(table).where(*where).values(average_profit=trade.realized))


async def load(
    connection: AsyncConnection, symbol: str, header: Header | None, slots: Sequence[Slot]
) -> StoredAccounting:
    """Return the account of *symbol*; one that is not stored yet is made from the stored fills."""
    row = (await connection.execute(select(schema.profit).where(schema.profit.c.symbol == symbol))).first()
    if row is None:
        return await _rebuild(connection, symbol, header, slots)
    ids = await connection.execute(
        select(schema.funding.c.payment_id)
        .where(schema.funding.c.symbol == symbol)
        .order_by(schema.funding.c.time_ms.desc())
        .limit(REMEMBERED_PAYMENTS)
    )
    markouts = await connection.execute(
        select(schema.markouts)
        .where(schema.markouts.c.symbol == symbol)
        .order_by(schema.markouts.c.time_ms.desc())
        .limit(REMEMBERED_MARKOUTS)
    )
    days = schema.days.c
    day = await connection.execute(
        select(schema.days).where(days.symbol == symbol).order_by(days.day_ms.desc()).limit(1)
    )
    newest = day.first()
    return StoredAccounting(
        ledger=ledger(row),
        trades=await _last_trades(connection, symbol, row.ordered_from_ms),
        awaited=tuple(_awaited(item) for item in json.loads(row.awaited_fees)),
        payment_ids=tuple(one.payment_id for one in reversed(ids.all())),
        markouts=tuple(markout(one) for one in markouts),
        day=profit_day(newest) if newest is not None else None,
    )


def ledger_row(symbol: str, ledger: ProfitLedger, awaited: Sequence[AwaitedFee]) -> dict[str, Any]:
    """Return the row of a ledger."""
    return {
        "symbol": symbol,
        "since_ms": ledger.since_ms,
        "quantity": ledger.entry.quantity,
        "cost": ledger.entry.cost,
        "short_quantity": ledger.short_entry.quantity,
        "short_cost": ledger.short_entry.cost,
        "realized": ledger.realized,
        "venue_made": rows.amounts_text(ledger.venue_made),
        "by_hand": ledger.by_hand,
        "unexplained": ledger.unexplained,
        "fees": rows.amounts_text(ledger.fees),
        "fees_value": ledger.fees_value,
        "unpriced_fees": rows.amounts_text(ledger.unpriced_fees),
        "awaited_fees": json.dumps([_awaited_item(fee) for fee in awaited]),
        "funding": ledger.funding,
        "other_funding": rows.amounts_text(ledger.other_funding),
        "funding_payments": ledger.funding_payments,
        "newest_funding_ms": ledger.newest_funding_ms,
        "spread": ledger.spread,
        "spread_fills": ledger.spread_fills,
        "foreign_fills": ledger.foreign_fills,
        "ordered_from_ms": ledger.ordered_from_ms,
    }


def ledger(row: Row[Any]) -> ProfitLedger:
    """Return the ledger of a row."""
    return ProfitLedger(
        since_ms=row.since_ms,
        entry=AverageEntry(quantity=row.quantity, cost=row.cost),
        short_entry=AverageEntry(quantity=row.short_quantity, cost=row.short_cost),
        realized=row.realized,
        venue_made=rows.amounts(row.venue_made),
        by_hand=row.by_hand,
        unexplained=row.unexplained,
        fees=rows.amounts(row.fees),
        fees_value=row.fees_value,
        unpriced_fees=rows.amounts(row.unpriced_fees),
        funding=row.funding,
        other_funding=rows.amounts(row.other_funding),
        funding_payments=row.funding_payments,
        newest_funding_ms=row.newest_funding_ms,
        spread=row.spread,
        spread_fills=row.spread_fills,
        foreign_fills=row.foreign_fills,
        ordered_from_ms=row.ordered_from_ms,
    )


def foreign_fill_row(counted: ForeignFill) -> dict[str, Any]:
    """Return the row of a fill that no order of the grid made."""
    row = rows.trade_row(counted.fill)
    return {**row, "average_profit": counted.average_profit, "fees_value": counted.fees_value}


def foreign_fill(row: Row[Any]) -> ForeignFill:
    """Return the foreign fill of a row."""
    return ForeignFill(fill=rows.trade(row), average_profit=row.average_profit, fees_value=row.fees_value)


def funding_row(payment: FundingPayment) -> dict[str, Any]:
    """Return the row of a funding payment."""
    return {
        "symbol": payment.symbol,
        "payment_id": payment.payment_id,
        "amount": payment.amount,
        "asset": payment.asset,
        "position_side": payment.position_side.value,
        "rate": payment.rate,
        "position_size": payment.position_size,
        "time_ms": payment.event_time_ms,
    }


def funding_payment(row: Row[Any]) -> FundingPayment:
    """Return the funding payment of a row."""
    return FundingPayment(
        symbol=row.symbol,
        payment_id=row.payment_id,
        amount=row.amount,
        asset=row.asset,
        position_side=PositionSide(row.position_side),
        rate=row.rate,
        position_size=row.position_size,
        event_time_ms=row.time_ms,
    )


def markout_row(symbol: str, markout: Markout) -> dict[str, Any]:
    """Return the row of a fill's markouts."""
    return {
        "symbol": symbol,
        "trade_id": markout.trade_id,
        "level": markout.level,
        "side": markout.side.value,
        "price": markout.price,
        "quantity": markout.quantity,
        "mid": markout.mid,
        "time_ms": markout.time_ms,
        **dict(zip(MID_COLUMNS, markout.later, strict=True)),
    }


def markout(row: Row[Any]) -> Markout:
    """Return the markouts of a row."""
    return Markout(
        trade_id=row.trade_id,
        level=row.level,
        side=Side(row.side),
        price=row.price,
        quantity=row.quantity,
        mid=row.mid,
        later=tuple(getattr(row, name) for name in MID_COLUMNS),
        time_ms=row.time_ms,
    )


def snapshot_row(taken: ProfitSnapshot) -> dict[str, Any]:
    """Return the columns of a snapshot, without its key."""
    return {name: getattr(taken, name) for name in ProfitSnapshot.__dataclass_fields__ if name != "time_ms"}


def profit_snapshot(row: Row[Any]) -> ProfitSnapshot:
    """Return the snapshot of a minute's or a day's row."""
    names = [name for name in ProfitSnapshot.__dataclass_fields__ if name != "time_ms"]
    time_ms = row.minute_ms if hasattr(row, "minute_ms") else row.day_ms
    return ProfitSnapshot(time_ms=time_ms, **{name: getattr(row, name) for name in names})


def day_row(symbol: str, day: ProfitDay) -> dict[str, Any]:
    """Return the row of a day."""
    ends = {"lowest": day.lowest, "highest": day.highest}
    return {"symbol": symbol, "day_ms": day.end.time_ms, **snapshot_row(day.end), **ends}


def profit_day(row: Row[Any]) -> ProfitDay:
    """Return the day of a row."""
    return ProfitDay(end=profit_snapshot(row), lowest=row.lowest, highest=row.highest)


async def _put(connection: AsyncConnection, insert: Insert, table: Table, values: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, or replace those with the same key."""
    if not values:
        return
    statement = insert(table)
    key = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in values[0] if name not in key}
    await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed), list(values))


async def _last_trades(connection: AsyncConnection, symbol: str, from_ms: int) -> tuple[CountedTrade, ...]:
    """Return the last trades of both kinds: down to the same time, for a trade between them would be missing."""
    found: list[CountedTrade] = []
    since_ms = from_ms
    for table, foreign in ((schema.fills, False), (schema.foreign_fills, True)):
        query = select(table).where(table.c.symbol == symbol, table.c.time_ms >= from_ms)
        newest = (await connection.execute(query.order_by(table.c.time_ms.desc()).limit(KEPT))).all()
        found += [
            CountedTrade(fill=rows.trade(row), foreign=foreign, realized=row.average_profit)
            for row in newest
            if row.average_profit is not None
        ]
        if len(newest) == KEPT:
            since_ms = max(since_ms, newest[-1].time_ms + 1)
    return tuple(trade for trade in found if trade.fill.event_time_ms >= since_ms)


async def _rebuild(
    connection: AsyncConnection, symbol: str, header: Header | None, slots: Sequence[Slot]
) -> StoredAccounting:
    if header is None:
        return StoredAccounting()
    columns = schema.fills.c
    query = select(schema.fills).where(columns.symbol == symbol).order_by(columns.time_ms, columns.trade_id)
    fills = [rows.counted_fill(row).fill for row in await connection.execute(query)]
    began = rebuilt(
        fills,
        since_ms=fills[0].event_time_ms if fills else header.watermark_ms,
        position=sum((slot.quantity for slot in slots), Decimal(0)),
        cost=sum((slot.cost for slot in slots), Decimal(0)),
        round_trips=header.totals.profit,
        quote_asset=next((asset for asset in header.totals.fees if symbol.endswith(asset)), ""),
    )
    return StoredAccounting(ledger=began, rebuilt=True)


def _awaited_item(fee: AwaitedFee) -> dict[str, Any]:
    return {
        "trade_id": fee.trade_id,
        "foreign": fee.foreign,
        "time_ms": fee.time_ms,
        "value": format(fee.value, "f"),
        "left": [[asset, format(amount, "f")] for asset, amount in fee.left],
        "partial": fee.partial,
    }


def _awaited(item: Mapping[str, Any]) -> AwaitedFee:
    return AwaitedFee(
        trade_id=item["trade_id"],
        foreign=item["foreign"],
        time_ms=item["time_ms"],
        value=Decimal(item["value"]),
        left=tuple((asset, Decimal(amount)) for asset, amount in item["left"]),
        partial=item["partial"],
    )
