"""The marathon's verdict can fail: each kind of difference between a book and the ledger is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from opensqt.model.account import Account, Position
from opensqt.model.errors import OrderDenied, OutcomeUnknown, Unreachable
from opensqt.model.order import Fill, Order, OrderRequest, OrderStatus, OrderUpdate, PositionSide, Side
from opensqt.model.stream import Batch
from tests.chaos.marathon.book import Book
from tests.chaos.marathon.verdict import differences

SYMBOLS = ("BTCUSDT", "ETHUSDT")
LOT, PRICE = Decimal("0.003"), Decimal(45000)
REQUEST = OrderRequest(symbol="BTCUSDT", side=Side.BUY, quantity=LOT, price=PRICE, client_order_id="maker1")
FILLED = Order(
    symbol="BTCUSDT",
    side=Side.BUY,
    quantity=LOT,
    client_order_id="maker1",
    order_id="11",
    status=OrderStatus.FILLED,
    filled_quantity=LOT,
)
FILL = Fill(
    symbol="BTCUSDT",
    trade_id="7",
    order_id="11",
    client_order_id="maker1",
    side=Side.BUY,
    position_side=PositionSide.BOTH,
    price=PRICE,
    quantity=LOT,
    fee=Decimal(0),
    fee_asset="USDT",
    is_maker=True,
)
ROW = {
    "order_id": "11",
    "client_order_id": "maker1",
    "symbol": "BTCUSDT",
    "side": "BUY",
    "order_type": "LIMIT",
    "time_in_force": "GTC",
    "quantity": "0.003",
    "filled_quantity": "0.003",
    "status": "FILLED",
}
FILL_ROW = {
    "trade_id": "7",
    "order_id": "11",
    "client_order_id": "maker1",
    "symbol": "BTCUSDT",
    "side": "BUY",
    "price": "45000",
    "quantity": "0.003",
}


def ledger(**changes: Any) -> dict[str, Any]:
    held = [{"symbol": "BTCUSDT", "position_side": "BOTH", "quantity": "0.003"}]
    account = {"orders": [ROW], "fills": [FILL_ROW], "positions": held, "wallet_balance": "10000"}
    return {**account, "duplicate_client_order_ids": [], **changes}


def streamed(*updates: OrderUpdate, snapshot: bool = False) -> Batch[OrderUpdate]:
    return Batch(updates=updates, epoch="e", sequence=len(updates), snapshot=snapshot)


def maker() -> Book:
    """The book of a client that placed one order and saw it filled."""
    book = Book("maker", SYMBOLS, 0)
    book.intend(REQUEST)
    book.answered("maker1", FILLED)
    book.take(streamed(OrderUpdate(order=FILLED, fill=FILL)))
    position = Position(symbol="BTCUSDT", quantity=LOT, entry_price=PRICE)
    book.take_positions(Batch(updates=(position,), epoch="e", sequence=1))
    account = Account(
        asset="USDT", wallet_balance=Decimal(10000), unrealized_pnl=Decimal(0), available_balance=Decimal(0)
    )
    book.take_account(Batch(updates=(account,), epoch="e", sequence=1))
    return book


def judged(book: Book, account: dict[str, Any] | None = None, *, readers: tuple[str, ...] = ()) -> list[str]:
    found = differences([book], account or ledger(), watchers=["maker"], readers=readers)
    return [difference.what for difference in found]


def test_a_book_that_equals_the_ledger_passes() -> None:
    assert judged(maker()) == []


def changed(**changes: Any) -> dict[str, Any]:
    return ledger(orders=[{**ROW, **changes}])


@pytest.mark.parametrize(
    ("account", "told"),
    [
        (ledger(fills=[FILL_ROW, {**FILL_ROW, "trade_id": "8"}]), "fill ('BTCUSDT', '8') of order maker1 is missing"),
        (ledger(fills=[]), "fill ('BTCUSDT', '7') is not in the ledger"),
        (ledger(fills=[{**FILL_ROW, "price": "44000"}]), "fill ('BTCUSDT', '7'): "),
        (changed(status="CANCELED"), "order maker1: FILLED 0.003 in the book; the ledger has CANCELED"),
        (changed(filled_quantity="0.001"), "order maker1: FILLED 0.003 in the book"),
        (changed(status="OPEN"), "order maker1 is open and nobody wants it"),
        (changed(status="CANCELED"), "order maker1 was canceled unasked"),
        (ledger(orders=[]), "order maker1: FILLED 0.003 in the book; the ledger has no such order"),
        (ledger(orders=[ROW, {**ROW, "client_order_id": "x"}]), "order x was asked for by nobody"),
        (ledger(duplicate_client_order_ids=["maker1"]), "order maker1 was accepted twice"),
        (ledger(positions=[]), "position ('BTCUSDT', <PositionSide.BOTH: 'BOTH'>): 0.003 in the book"),
        (ledger(wallet_balance="9999.5"), "wallet balance 10000 in the book, 9999.5 in the ledger"),
    ],
)
def test_what_the_ledger_has_otherwise_is_found(account: dict[str, Any], told: str) -> None:
    assert any(what.startswith(told) for what in judged(maker(), account)), judged(maker(), account)


def repeat_the_fill(book: Book) -> None:
    book.take(streamed(OrderUpdate(order=FILLED, fill=FILL)))


def take_it_back(book: Book) -> None:
    book.take(streamed(OrderUpdate(order=_with(status=OrderStatus.CANCELED, filled_quantity=Decimal(0)))))


def leave_it_in_doubt(book: Book) -> None:
    book.intend(_named("maker2"))
    book.answered("maker2", OutcomeUnknown("lost"))


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (repeat_the_fill, "fill BTCUSDT 7 of order maker1 streamed twice"),
        (take_it_back, "order maker1: closed with 0 of 0.003"),
        (leave_it_in_doubt, "order maker2: in doubt; the ledger has no such order"),
    ],
)
def test_what_a_client_was_told_wrongly_is_found(act: Callable[[Book], None], told: str) -> None:
    """F8: a fill that is streamed twice, and what is closed and changes."""
    book = maker()
    act(book)
    assert any(what.startswith(told) for what in judged(book)), judged(book)


def test_an_order_that_was_said_not_to_be_sent_and_was_is_found() -> None:
    book = maker()
    book.intend(_named("maker2"))
    book.not_sent("maker2", Unreachable("nothing was sent"))
    account = ledger(orders=[ROW, {**ROW, "client_order_id": "maker2", "filled_quantity": "0", "status": "CANCELED"}])
    assert any(
        what.startswith("order maker2: refused as Unreachable; the ledger has") for what in judged(book, account)
    )


def test_an_order_of_a_client_that_may_only_read_is_found() -> None:
    assert judged(maker(), readers=("maker",)) == ["order maker1 of a client that may only read"]


def test_a_denial_does_not_end_the_doubt_about_an_earlier_call() -> None:
    book = maker()
    leave_it_in_doubt(book)
    book.answered("maker2", OrderDenied("too many open orders"))
    assert [request.client_order_id for request in book.in_doubt()] == ["maker2"]


def test_an_open_order_that_a_snapshot_does_not_hold_is_asked_for() -> None:
    book = maker()
    book.intend(_named("maker2"))
    book.answered("maker2", _with(client_order_id="maker2", order_id="12", status=OrderStatus.OPEN))
    assert book.take(streamed(snapshot=True))
    assert [ref.client_order_id for ref in book.unheard()] == ["maker2"]


def test_a_missing_order_that_is_told_unknown_is_asked_for_again() -> None:
    book = maker()
    rests = _with(client_order_id="maker2", order_id="12", status=OrderStatus.OPEN, filled_quantity=Decimal(0))
    book.learn(rests, "stream")
    book.take(streamed(snapshot=True))
    (ref,) = book.unheard()
    for status, left in ((OrderStatus.UNKNOWN, [ref]), (OrderStatus.CANCELED, [])):
        answer = replace(rests, status=status)
        book.learn(answer, "query")
        book.asked(ref, answer)
        assert book.unheard() == left


def test_the_order_of_a_fill_that_was_listed_is_asked_for() -> None:
    book = Book("watcher", SYMBOLS, 0)
    book.listed("BTCUSDT", [FILL])
    assert [ref.order_id for ref in book.unheard()] == ["11"]


def _named(client_order_id: str) -> OrderRequest:
    return OrderRequest(symbol="BTCUSDT", side=Side.BUY, quantity=LOT, price=PRICE, client_order_id=client_order_id)


def _with(**changes: Any) -> Order:
    fields = {name: getattr(FILLED, name) for name in FILLED.__slots__}
    return Order(**{**fields, **changes})
