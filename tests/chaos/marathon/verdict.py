"""Holds books to the ledger. Pure: the same books and the same ledger, the same differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from opensqt.model.errors import PostOnlyWouldCross
from opensqt.model.order import Fill, PositionSide
from tests.chaos.marathon.book import Book, Entry

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it should be."""

    who: str
    """The client, or `ledger`."""
    what: str
    history: tuple[str, ...] = ()
    order: str = ""
    """The client order id concerned, to look for in logs."""


def differences(
    books: Sequence[Book], account: Row, *, watchers: Sequence[str], readers: Sequence[str]
) -> list[Difference]:
    """Compare every client's book with the ledger's account.

    Args:
        books: What the clients know.
        account: The account as `GET /_sim/ledger` tells it.
        watchers: Clients that also know positions and balance.
        readers: Clients that may have placed nothing.
    """
    found = [
        Difference("ledger", f"order {twice} was accepted twice", order=twice)
        for twice in account["duplicate_client_order_ids"]
    ]
    found += _own_orders(books, account, readers)
    for book in books:
        found += [Difference(book.owner, mistake) for mistake in book.mistakes]
        found += _orders(book, account)
        found += _fills(book, account)
        if book.owner in watchers:
            found += _positions(book, account)
            found += _balance(book, account)
    return found


def _own_orders(books: Sequence[Book], account: Row, readers: Sequence[str]) -> Iterator[Difference]:
    """Every order at the venue was asked for by a client, none by a reader, and those left open were meant to be."""
    asked = {name: (book, entry) for book in books for name, entry in book.orders.items() if entry.request is not None}
    for row in account["orders"]:
        name = row["client_order_id"]
        if name not in asked:
            yield Difference("ledger", f"order {name} was asked for by nobody", order=name)
            continue
        book, entry = asked[name]
        if book.owner in readers:
            yield Difference(book.owner, f"order {name} of a client that may only read", tuple(entry.history), name)
        if _lost(row, book, entry):
            yield Difference(book.owner, f"order {name} was canceled unasked", tuple(entry.history), name)
        if _open(row) and not entry.wanted:
            yield Difference(book.owner, f"order {name} is open and nobody wants it", tuple(entry.history), name)


def _lost(row: Row, book: Book, entry: Entry) -> bool:
    """Whether an order ended that only its own client may end, and did not."""
    return not book.leased and _unasked(row, book, entry)


def _unasked(row: Row, book: Book, entry: Entry) -> bool:
    # The last symbol is the one of which everybody's orders are canceled now and then.
    rests = row["time_in_force"] == "GTC" and row["order_type"] == "LIMIT" and row["symbol"] != book.symbols[-1]
    return rests and row["status"] == "CANCELED" and not entry.cancel_asked


def ended_with_lease(books: Sequence[Book], account: Row) -> int:
    """Count the orders that the connector canceled because their client stayed away."""
    rows = {row["client_order_id"]: row for row in account["orders"]}
    return sum(
        name in rows and _unasked(rows[name], book, entry)
        for book in books
        if book.leased
        for name, entry in book.orders.items()
        if entry.request is not None
    )


def _orders(book: Book, account: Row) -> Iterator[Difference]:
    rows = {row["client_order_id"]: row for row in account["orders"]}
    for name, row in rows.items():
        # Without a fill, an order that came and went while a client was away leaves nothing that it could be told.
        if name not in book.orders and (_open(row) or Decimal(row["filled_quantity"])):
            yield Difference(book.owner, f"order {name} is not known; the ledger has {_words(row)}", order=name)
    for name, entry in book.orders.items():
        problem = _problem(entry, rows.get(name))
        if problem:
            yield Difference(book.owner, f"order {name}: {problem}", tuple(entry.history), name)


def _problem(entry: Entry, row: Row | None) -> str:
    there = f"the ledger has {_words(row) if row is not None else 'no such order'}"
    if entry.doubt:
        return f"in doubt; {there}"
    if entry.order is None:
        return "" if row is None or _was_refused(row, entry) else f"refused as {entry.refused}; {there}"
    told, filled = entry.order.status.value, entry.order.filled_quantity
    if row is None or (_end(told), filled) != (_end(row["status"]), Decimal(row["filled_quantity"])):
        return f"{told} {filled} in the book; {there}"
    return ""


def _was_refused(row: Row, entry: Entry) -> bool:
    # Some venues accept a post-only order that would take, and end it in the same breath.
    refusals = ("REJECTED", "EXPIRED") if entry.refused == PostOnlyWouldCross.__name__ else ("REJECTED",)
    return row["status"] in refusals and not Decimal(row["filled_quantity"])


def _end(status: str) -> str:
    # Most venues have one word for what was canceled and for what ended by itself.
    return "CANCELED" if status == "EXPIRED" else status


def _fills(book: Book, account: Row) -> Iterator[Difference]:
    rows = {(row["symbol"], row["trade_id"]): row for row in account["fills"]}
    for key in rows.keys() - book.fills.keys():
        name = rows[key]["client_order_id"]
        yield Difference(book.owner, f"fill {key} of order {name} is missing", _history(book, name), name)
    for key in book.fills.keys() - rows.keys():
        yield Difference(book.owner, f"fill {key} is not in the ledger", order=book.fills[key].client_order_id)
    for key in rows.keys() & book.fills.keys():
        if _facts(book.fills[key]) != _row_facts(rows[key]):
            text = f"fill {key}: {_facts(book.fills[key])} in the book, {_row_facts(rows[key])} in the ledger"
            yield Difference(book.owner, text, order=rows[key]["client_order_id"])


def _facts(fill: Fill) -> tuple[str, str, Decimal, Decimal]:
    return fill.order_id, fill.side.value, fill.price, fill.quantity


def _row_facts(row: Row) -> tuple[str, str, Decimal, Decimal]:
    return row["order_id"], row["side"], Decimal(row["price"]), Decimal(row["quantity"])


def _positions(book: Book, account: Row) -> Iterator[Difference]:
    held = {
        (row["symbol"], PositionSide(row["position_side"])): Decimal(row["quantity"]) for row in account["positions"]
    }
    told = {key: position.quantity for key, position in book.positions.items()}
    for key in held.keys() | told.keys():
        if held.get(key, 0) != told.get(key, 0):
            yield Difference(book.owner, f"position {key}: {told.get(key)} in the book, {held.get(key)} in the ledger")


def _balance(book: Book, account: Row) -> Iterator[Difference]:
    told, there = book.account.wallet_balance if book.account else None, Decimal(account["wallet_balance"])
    if told is None or abs(told - there) > Decimal("0.00000001"):
        yield Difference(book.owner, f"wallet balance {told} in the book, {there} in the ledger")


def _open(row: Row) -> bool:
    return row["status"] in ("OPEN", "PARTIALLY_FILLED")


def _words(row: Row) -> str:
    return (
        f"{row['status']} {row['filled_quantity']} of {row['quantity']} {row['side']} {row['symbol']} {row['order_id']}"
    )


def _history(book: Book, name: str) -> tuple[str, ...]:
    entry = book.orders.get(name)
    return tuple(entry.history) if entry else ()
