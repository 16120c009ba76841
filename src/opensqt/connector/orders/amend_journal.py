"""The amendments in the order journal: each is on disk before it is sent, and its outcome stays beside it."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from opensqt.connector.orders.journal import UNRESOLVED, Journal, State
from opensqt.model.errors import ExchangeError
from opensqt.model.order import AmendRequest, Order
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import types_pb2 as pb
from opensqt.wire.amendments import decode_amend_request, encode_amend_request
from opensqt.wire.errors import decode_order_result, encode_order_result

_COLUMNS = "request, target, state, outcome, client"
_Row = tuple[bytes, bytes, str, bytes | None, str]


@dataclass(frozen=True, slots=True)
class AmendRecord:
    """One amendment as the journal holds it."""

    request: AmendRequest
    """As its client asked for it."""
    target: AmendRequest
    """As it was sent: with the order's ids, and with what the request leaves as it is."""
    state: State
    """PLACED: the venue amended the order, or the order had ended before."""
    outcome: Order | ExchangeError | None
    client: str


class AmendJournal:
    """The amendments of one account.

    Args:
        journal: Open when this is used.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def claim(self, request: AmendRequest, target: AmendRequest, client: str) -> AmendRecord | None:
        """Write an amendment of a client down.

        Returns:
            None when it is now SENT and must be sent, else the record that stands in its way.

        Raises:
            JournalError: It can't be written, or the file was found to be gone. Nothing may be sent.
        """
        self._journal.require_file()
        row = (
            request.amend_id,
            target.order.client_order_id,
            encode_amend_request(request).SerializeToString(),
            encode_amend_request(target).SerializeToString(),
            State.SENT,
            time.time_ns(),
            client,
        )
        return await self._journal.execute(lambda database: _claim(database, row))

    async def settle(
        self, amend_id: str, state: State, outcome: Order | ExchangeError | None, *, deferrable: bool = False
    ) -> None:
        """Write down what became of an amendment.

        Args:
            amend_id: The amendment.
            state: What is known of it now.
            outcome: What its client is answered.
            deferrable: Whether it may wait a moment for a commit that is made anyway, because nobody waits for it.
        """
        blob = None if outcome is None else encode_order_result(outcome).SerializeToString()
        row = (state, blob, time.time_ns(), amend_id)
        await self._journal.execute(
            lambda database: database.execute(
                "UPDATE amendment SET state = ?, outcome = ?, updated_ns = ? WHERE amend_id = ?", row
            ),
            deferrable=deferrable,
        )

    async def find(self, amend_id: str) -> AmendRecord | None:
        """Return the record of one amendment, or None."""
        return await self._journal.execute(lambda database: _find(database, amend_id))

    async def was_amended(self, client_order_id: str) -> bool:
        """Return whether an amendment of an order was ever sent."""
        query = "SELECT 1 FROM amendment WHERE client_order_id = ? LIMIT 1"
        row = (client_order_id,)
        return await self._journal.execute(lambda database: database.execute(query, row).fetchone() is not None)

    async def unresolved(self) -> list[AmendRecord]:
        """Return every amendment whose outcome is open, oldest first."""
        return await self._journal.execute(_unresolved)


def _claim(database: sqlite3.Connection, row: tuple[str, str, bytes, bytes, State, int, str]) -> AmendRecord | None:
    record = _find(database, row[0])
    # An id that was proven to have done nothing stays with its client, which was answered that it may be sent again.
    if record is not None and not (record.state is State.ABSENT and record.client == row[-1]):
        return record
    database.execute("INSERT OR REPLACE INTO amendment VALUES (?, ?, ?, ?, ?, NULL, ?, ?)", row)
    return None


def _find(database: sqlite3.Connection, amend_id: str) -> AmendRecord | None:
    query = f"SELECT {_COLUMNS} FROM amendment WHERE amend_id = ?"  # noqa: S608 - names of our own
    row = database.execute(query, (amend_id,)).fetchone()
    return None if row is None else _record(row)


def _unresolved(database: sqlite3.Connection) -> list[AmendRecord]:
    query = f"SELECT {_COLUMNS} FROM amendment WHERE state IN (?, ?) ORDER BY updated_ns"  # noqa: S608 - as above
    return [_record(row) for row in database.execute(query, UNRESOLVED)]


def _record(row: _Row) -> AmendRecord:
    request, target, state, outcome, client = row
    return AmendRecord(
        request=decode_amend_request(gateway_pb.AmendOrderRequest.FromString(request)),
        target=decode_amend_request(gateway_pb.AmendOrderRequest.FromString(target), stored=True),
        state=State(state),
        outcome=None if outcome is None else decode_order_result(pb.OrderResult.FromString(outcome)),
        client=client,
    )
