"""The order journal: every intent is on disk before it is sent, and its outcome stays beside it.

SQLite in WAL mode with synchronous FULL: a commit is on the disk when it returns, so even a power cut can't lose
an intent that was sent. The cost, 0.3 ms a commit on a common SSD, is shared: all that queues during one commit
goes into the next, and an outcome that nobody waits for goes with the next intent. A single worker thread does the
I/O; the event loop never waits for the disk.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from opensqt.connector.orders.worker import Worker
from opensqt.model.errors import ConfigError, ExchangeError
from opensqt.model.order import Order, OrderRequest
from opensqt.proto import types_pb2 as pb
from opensqt.telemetry.distribution import SECONDS, SIZES, Distribution
from opensqt.wire.errors import decode_order_result, encode_order_result
from opensqt.wire.requests import decode_order_request, encode_order_request

R = TypeVar("R")
Operation = Callable[[sqlite3.Connection], Any]
MEMORY = ":memory:"
_FLUSH_DELAY_S = 0.02
"""How long an outcome that nobody waits for may wait for a commit to share."""
_VERSION = 6
_SCHEMA = """
CREATE TABLE IF NOT EXISTS intent (
    client_order_id TEXT PRIMARY KEY,
    request BLOB NOT NULL,
    state TEXT NOT NULL,
    outcome BLOB,
    updated_ns INTEGER NOT NULL,
    client TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS intent_by_state ON intent (state, updated_ns);
CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY CHECK (id = 1), written_ns INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS lease (
    client TEXT PRIMARY KEY,
    ttl_ms INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    canceling INTEGER NOT NULL,
    number INTEGER NOT NULL DEFAULT 0,
    ended_number INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS halt (
    halt_id TEXT PRIMARY KEY,
    client TEXT NOT NULL,
    symbol TEXT NOT NULL,
    reason TEXT NOT NULL,
    ttl_ms INTEGER NOT NULL,
    since_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claim (
    symbol TEXT NOT NULL,
    strategy TEXT NOT NULL,
    client TEXT NOT NULL,
    holder TEXT NOT NULL,
    description TEXT NOT NULL,
    number INTEGER NOT NULL,
    ttl_ms INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (symbol, strategy)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS amendment (
    amend_id TEXT PRIMARY KEY,
    client_order_id TEXT NOT NULL,
    request BLOB NOT NULL,
    target BLOB NOT NULL,
    state TEXT NOT NULL,
    outcome BLOB,
    updated_ns INTEGER NOT NULL,
    client TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS amendment_by_order ON amendment (client_order_id);
CREATE INDEX IF NOT EXISTS amendment_by_state ON amendment (state, updated_ns);
"""
_CLAIM = ("symbol", "strategy", "client", "holder", "description", "number", "ttl_ms", "since_ms")
_NUMBERED_LEASES = """
CREATE TABLE IF NOT EXISTS lease (client TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL, ended INTEGER NOT NULL,
    canceling INTEGER NOT NULL) WITHOUT ROWID;
ALTER TABLE lease ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lease ADD COLUMN ended_number INTEGER NOT NULL DEFAULT 0;
"""
_UPGRADES = {
    1: "ALTER TABLE intent ADD COLUMN client TEXT NOT NULL DEFAULT '';",
    2: "",
    3: "",
    4: "",
    5: _NUMBERED_LEASES,
}
"""What brings a journal of an earlier version to the next one. Nobody knows who placed the orders of version 1. From
version 2 on each has a table more; an earlier connector would not know that trading is halted, who holds the right to
trade, or which amendments are in flight, so it must not open the file."""


class State(StrEnum):
    """What is known of an intent."""

    SENT = "SENT"
    """Sent or about to be; the outcome is open, or died with the process."""
    UNKNOWN = "UNKNOWN"
    """Sent, and the answer was lost or proves nothing."""
    PLACED = "PLACED"
    """The venue accepted it; the outcome is the order as acknowledged."""
    REFUSED = "REFUSED"
    """The venue refused it; the outcome is the error."""
    ABSENT = "ABSENT"
    """Proven not to exist at the venue: the id may be sent again."""


UNRESOLVED = (State.SENT, State.UNKNOWN)


class JournalError(Exception):
    """The journal could not be read or written."""


@dataclass(frozen=True, slots=True)
class Record:
    """One intent as the journal holds it."""

    request: OrderRequest
    state: State
    outcome: Order | ExchangeError | None
    updated_ns: int
    client: str = ""
    """The client that asked for it; empty when that is not known."""

    def is_of(self, client: str) -> bool:
        """Whether *client* may be answered with it as with its own."""
        return self.client in ("", client)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """One client's lease as the journal holds it."""

    client: str
    ttl_ms: int
    ended: bool = False
    """It ran out and was not renewed since."""
    canceling: bool = False
    """It ran out, and the client's orders are not proven gone yet."""
    number: int = 0
    """Which lease of the client it is; 0 when a version wrote it that gave them no numbers."""
    ended_number: int = 0
    """The newest lease of the client that ran out; 0 when none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltRecord:
    """One halt of trading as the journal holds it."""

    halt_id: str
    client: str
    """Who asked for it."""
    symbol: str = ""
    """Canonical; empty is every symbol."""
    reason: str = ""
    """What whoever asked for it says of it."""
    ttl_ms: int = 0
    """How long it lasts unless it is renewed; 0 stands until it is lifted."""
    since_ms: int = 0
    """UTC epoch milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRecord:
    """One claim of trading as the journal holds it."""

    symbol: str
    """Canonical."""
    strategy: str
    """How the client order ids of its orders begin."""
    client: str
    """Who holds it, or did last."""
    holder: str
    """What identifies the client's program, also after a restart of it."""
    description: str = ""
    """What the program says of itself, for people."""
    number: int
    """Raised by each change of the holder."""
    ttl_ms: int
    """How long it lasts unless it is renewed; 0 when it ended."""
    since_ms: int
    """UTC epoch milliseconds at which it was taken with this number."""

    def includes(self, symbol: str, client_order_id: str) -> bool:
        """Return whether an order is one of its symbol and strategy."""
        return self.symbol == symbol and client_order_id.startswith(self.strategy)


class Journal:
    """The journal of one account. Open it, use it from one event loop, close it.

    Args:
        path: The database file, made if absent; `:memory:` keeps nothing over a restart.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._thread = Worker("journal")
        self._database: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        """What the system knows the open file by."""
        self._lock: int | None = None
        """Descriptor of the file that is locked for as long as this journal is open."""
        self._is_lost = False
        """Whether the file was found to be removed or replaced."""
        self._damage = ""
        """What the first operation said that found the file damaged."""
        self.queued: list[tuple[Operation, asyncio.Future[Any]]] = []
        """Operations for the next commit."""
        self.deferred: list[tuple[Operation, asyncio.Future[Any]]] = []
        """Operations that wait for another one's commit."""
        self._flush_timer: asyncio.TimerHandle | None = None
        self._committing: asyncio.Future[None] | None = None
        self.commit_seconds = Distribution(SECONDS)
        self.commit_sizes = Distribution(SIZES)
        self.failures = 0
        """Commits that failed, since the start."""

    async def open(self) -> None:
        """Open the file and take it for this process alone.

        Raises:
            ConfigError: It can't be opened, is no journal, or another connector holds it.
        """
        if self.path != MEMORY:
            self._lock = await self._thread.run(partial(_lock, self.path))
        try:
            self._database = await self._thread.run(partial(_connect, self.path))
        except BaseException:
            self._unlock()
            raise
        if self.path != MEMORY:
            self._file = await self._thread.run(partial(_identity, self.path))

    async def close(self) -> None:
        """Finish what was asked for and close the file. Idempotent."""
        self._flush_deferred()
        if self._committing is not None:
            await self._committing
        if self._database is not None:
            database, self._database = self._database, None
            await self._thread.run(database.close)
        self._unlock()
        self._thread.stop()

    async def claim(
        self, requests: Sequence[OrderRequest], *, client: str = "", encoded: Sequence[bytes] = ()
    ) -> list[Record | None]:
        """Write intents of a client down, all in one commit.

        Args:
            requests: The orders.
            client: The client that asks for them.
            encoded: The requests as they came over the wire, where they did; else they are encoded here.

        Returns:
            For each request None when it is now SENT and must be sent, else the record that stands in its way.

        Raises:
            JournalError: It can't be written, or the file was found to be gone. Nothing may be sent.
        """
        self.require_file()
        now = time.time_ns()
        blobs = encoded or [b""] * len(requests)
        rows = [
            (one.client_order_id, blob or encode_order_request(one).SerializeToString(), State.SENT, now, client)
            for one, blob in zip(requests, blobs, strict=True)
        ]
        return await self.execute(lambda database: [_claim(database, row) for row in rows])

    async def settle(
        self,
        client_order_id: str,
        state: State,
        outcome: Order | ExchangeError | pb.OrderResult | None = None,
        *,
        deferrable: bool = False,
    ) -> None:
        """Write down what became of an intent.

        Args:
            client_order_id: The intent.
            state: What is known of it now.
            outcome: What its client is answered, encoded already where that was done for the answer.
            deferrable: Whether it may wait a moment for a commit that is made anyway, because nobody waits for it.
        """
        if isinstance(outcome, (Order, ExchangeError)):
            outcome = encode_order_result(outcome)
        blob = None if outcome is None else outcome.SerializeToString()
        row = (state, blob, time.time_ns(), client_order_id)
        await self.execute(
            lambda database: database.execute(
                "UPDATE intent SET state = ?, outcome = ?, updated_ns = ? WHERE client_order_id = ?", row
            ),
            deferrable=deferrable,
        )

    async def find(self, client_order_id: str) -> Record | None:
        """Return the record of one intent, or None."""
        try:
            return await self.execute(lambda database: _find(database, client_order_id))
        except JournalError:
            # What others wrote in the same commit failed with it. What is on the disk can be read nonetheless.
            return await self._read(lambda database: _find(database, client_order_id))

    async def _read(self, query: Callable[[sqlite3.Connection], R]) -> R:
        if self._database is None:
            raise JournalError(f"journal {self.path}: closed")
        try:
            return await self._thread.run(partial(query, self._database))
        except sqlite3.Error as error:
            raise JournalError(f"journal {self.path}: {error}") from error

    async def owners(self, client_order_ids: Iterable[str], *, absent: bool = True) -> dict[str, str]:
        """Return the client of each order that a client of ours is known to have asked for.

        One that the venue refused is nobody's: where an order of its id exists, it is somebody else's.

        Args:
            client_order_ids: Of the orders.
            absent: Whether one that was proven absent counts, for the proof may have come too soon.
        """
        ids = list(client_order_ids)
        others = (State.REFUSED,) if absent else (State.REFUSED, State.ABSENT)
        return await self.execute(lambda database: _owners(database, ids, others)) if ids else {}

    async def leases(self) -> list[LeaseRecord]:
        """Return every lease that was not given up, and of each client the newest that ran out."""
        return await self.execute(_leases)

    async def keep_lease(self, lease: LeaseRecord) -> None:
        """Write a client's lease down, over what stood there."""
        row = (lease.client, lease.ttl_ms, lease.ended, lease.canceling, lease.number, lease.ended_number)
        query = "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?)"
        await self.execute(lambda database: database.execute(query, row))

    async def drop_lease(self, client: str) -> None:
        """Forget a client's lease."""
        await self.execute(lambda database: database.execute("DELETE FROM lease WHERE client = ?", (client,)))

    async def halts(self) -> list[HaltRecord]:
        """Return every halt that was not lifted, oldest first."""
        return await self.execute(_halts)

    async def keep_halt(self, halt: HaltRecord) -> None:
        """Write a halt down, over what stood there."""
        row = (halt.halt_id, halt.client, halt.symbol, halt.reason, halt.ttl_ms, halt.since_ms)
        await self.execute(
            lambda database: database.execute("INSERT OR REPLACE INTO halt VALUES (?, ?, ?, ?, ?, ?)", row)
        )

    async def drop_halt(self, halt_id: str) -> None:
        """Forget a halt."""
        await self.execute(lambda database: database.execute("DELETE FROM halt WHERE halt_id = ?", (halt_id,)))

    async def claims(self) -> list[ClaimRecord]:
        """Return every claim that was ever taken, also those that ended."""
        return await self.execute(_claims)

    async def keep_claim(self, claim: ClaimRecord) -> None:
        """Write a claim down, over what stood there."""
        row = tuple(getattr(claim, name) for name in _CLAIM)
        await self.execute(
            lambda database: database.execute("INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        )

    async def unresolved(self) -> list[Record]:
        """Return every intent whose outcome is open, oldest first."""
        return await self.execute(_unresolved)

    async def prune(self, *, before_ns: int, keep: Iterable[str]) -> int:
        """Forget settled intents and amendments that were last touched before a time, but for the ids in *keep*.

        Returns:
            How many intents were forgotten.
        """
        kept = frozenset(keep)
        return await self.execute(lambda database: _prune(database, before_ns, kept))

    async def probe(self) -> None:
        """Write something, to learn whether the journal still can, and look whether its file is still there.

        Raises:
            JournalError: It can't be written, is damaged, or the file was removed or replaced, so that writes are lost.
        """
        if self._damage:
            raise JournalError(f"journal {self.path}: {self._damage}; stop the connector and restore the file")
        now = time.time_ns()
        await self.execute(lambda database: database.execute("INSERT OR REPLACE INTO probe VALUES (1, ?)", (now,)))
        if self.path != MEMORY and await self._thread.run(partial(_identity, self.path)) != self._file:
            self._is_lost = True
        self.require_file()

    def require_file(self) -> None:
        """Check that what is written can be read after a restart.

        Raises:
            JournalError: The file was found to be removed or replaced.
        """
        if self._is_lost:
            raise JournalError(f"journal {self.path}: the file was removed or replaced; restart the connector")

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def execute(self, operation: Callable[[sqlite3.Connection], R], *, deferrable: bool = False) -> R:
        """Run an operation in the next commit, and return its result once it is on disk.

        Args:
            operation: Gets the database, in the journal's thread.
            deferrable: Whether it may wait for the next commit of another operation.

        Raises:
            JournalError: It failed, and nothing of it was written.
        """
        if self._database is None:
            raise JournalError(f"journal {self.path}: closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        if deferrable:
            self.deferred.append((operation, future))
            self._flush_timer = self._flush_timer or loop.call_later(_FLUSH_DELAY_S, self._flush_deferred)
        else:
            self.queued.append((operation, future))
            self._start_committing()
        return await future

    def _flush_deferred(self) -> None:
        """Have what was deferred written with the next commit."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        if self.deferred:
            # After what waits already: an earlier write of the same intent must not overwrite its outcome. And before
            # the intent can be claimed again, for until the outcome is written nobody claims it.
            self.queued, self.deferred = [*self.queued, *self.deferred], []
            self._start_committing()

    def _start_committing(self) -> None:
        if self._committing is None:
            loop = asyncio.get_running_loop()
            self._committing = loop.create_future()
            # Not at once: what comes in the same turn of the loop goes along.
            loop.call_soon(self._commit_next)

    def _commit_next(self) -> None:
        """Hand all that waits to the thread; what comes meanwhile is the next commit."""
        self._flush_deferred()
        waiting, self.queued = self.queued, []
        operations = [operation for operation, _ in waiting]
        began_s = time.perf_counter()

        def done(results: list[Any] | None, error: BaseException | None) -> None:
            if results is None:
                self.failures += 1
                if isinstance(error, sqlite3.DatabaseError) and "malformed" in str(error):
                    self._damage = str(error)
                for _, future in waiting:
                    if not future.done():
                        future.set_exception(JournalError(f"journal {self.path}: {error}"))
            else:
                self.commit_seconds.observe(time.perf_counter() - began_s)
                self.commit_sizes.observe(len(waiting))
                for (_, future), result in zip(waiting, results, strict=True):
                    if not future.done():
                        future.set_result(result)
            if self.queued:
                self._commit_next()
            elif self._committing is not None:
                self._committing.set_result(None)
                self._committing = None

        self._thread.submit(partial(self._commit, operations), done)

    def _commit(self, operations: list[Operation]) -> list[Any]:
        database = self._database
        assert database is not None  # noqa: S101 - close waits for the commit that runs
        database.execute("BEGIN IMMEDIATE")
        try:
            results = [operation(database) for operation in operations]
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        return results


def _lock(path: str) -> int:
    """Lock a file beside the journal, which stays locked though the journal's own file is removed or replaced."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"journal {path}: can't be used: {error}; give another with --journal") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise ConfigError(f"journal {path}: another connector uses it; give this one its own") from None
    return lock


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: str) -> sqlite3.Connection:
    try:
        if path != MEMORY:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            # Before SQLite makes it with the mode of the umask: the orders are nobody else's business.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        database = sqlite3.connect(path, timeout=0.5, isolation_level=None)
        try:
            # Two connectors on one journal would not see each other's orders in flight: the first one keeps the file.
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            (result,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if result != "ok":
                raise ConfigError(
                    f"journal {path}: damaged: {result.strip()}; move it away together with its -wal and -shm files,"
                    " and compare the account's open orders by hand before you trade on"
                )
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version not in (0, *_UPGRADES, _VERSION):
                raise ConfigError(f"journal {path}: written by another version ({version}); expected {_VERSION}")
            upgrade = "".join(_UPGRADES[old] for old in range(version, _VERSION)) if version else ""
            database.executescript(f"BEGIN IMMEDIATE; {upgrade} {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        except BaseException:
            database.close()
            raise
    except (OSError, sqlite3.Error) as error:
        if "locked" in str(error):
            raise ConfigError(f"journal {path}: another connector uses it; give this one its own") from None
        raise ConfigError(f"journal {path}: can't be used: {error}; give another with --journal") from None
    return database


def _claim(database: sqlite3.Connection, row: tuple[str, bytes, State, int, str]) -> Record | None:
    # Nearly every id is new, so the look at what stands there is left out.
    if database.execute("INSERT OR IGNORE INTO intent VALUES (?, ?, ?, NULL, ?, ?)", row).rowcount:
        return None
    record = _find(database, row[0])
    # An id that was proven absent stays with its client, to which was answered that it may be sent again.
    if record is not None and not (record.state is State.ABSENT and record.is_of(row[-1])):
        return record
    database.execute("INSERT OR REPLACE INTO intent VALUES (?, ?, ?, NULL, ?, ?)", row)
    return None


def _find(database: sqlite3.Connection, client_order_id: str) -> Record | None:
    query = "SELECT request, state, outcome, updated_ns, client FROM intent WHERE client_order_id = ?"
    row = database.execute(query, (client_order_id,)).fetchone()
    return None if row is None else _record(row)


def _unresolved(database: sqlite3.Connection) -> list[Record]:
    query = "SELECT request, state, outcome, updated_ns, client FROM intent WHERE state IN (?, ?) ORDER BY updated_ns"
    return [_record(row) for row in database.execute(query, UNRESOLVED)]


def _owners(database: sqlite3.Connection, ids: list[str], others: tuple[State, ...]) -> dict[str, str]:
    query = "SELECT client, state FROM intent WHERE client_order_id = ? AND client != ''"
    rows = ((name, *row) for name in ids for row in database.execute(query, (name,)))
    return {name: client for name, client, state in rows if state not in others}


def _leases(database: sqlite3.Connection) -> list[LeaseRecord]:
    rows = database.execute("SELECT client, ttl_ms, ended, canceling, number, ended_number FROM lease").fetchall()
    return [
        LeaseRecord(
            client=client,
            ttl_ms=ttl_ms,
            ended=bool(ended),
            canceling=bool(canceling),
            number=number,
            ended_number=ended_number,
        )
        for client, ttl_ms, ended, canceling, number, ended_number in rows
    ]


def _halts(database: sqlite3.Connection) -> list[HaltRecord]:
    query = "SELECT halt_id, client, symbol, reason, ttl_ms, since_ms FROM halt ORDER BY since_ms"
    names = ("halt_id", "client", "symbol", "reason", "ttl_ms", "since_ms")
    return [HaltRecord(**dict(zip(names, row, strict=True))) for row in database.execute(query)]


def _claims(database: sqlite3.Connection) -> list[ClaimRecord]:
    rows = database.execute(f"SELECT {', '.join(_CLAIM)} FROM claim").fetchall()  # noqa: S608 - names of our own
    return [ClaimRecord(**dict(zip(_CLAIM, row, strict=True))) for row in rows]


def _prune(database: sqlite3.Connection, before_ns: int, keep: frozenset[str]) -> int:
    query = "SELECT client_order_id FROM intent WHERE state NOT IN (?, ?) AND updated_ns < ?"
    old = [row for row in database.execute(query, (*UNRESOLVED, before_ns)).fetchall() if row[0] not in keep]
    database.executemany("DELETE FROM intent WHERE client_order_id = ?", old)
    query = "SELECT amend_id, client_order_id FROM amendment WHERE state NOT IN (?, ?) AND updated_ns < ?"
    amended = [row for row in database.execute(query, (*UNRESOLVED, before_ns)).fetchall() if row[1] not in keep]
    database.executemany("DELETE FROM amendment WHERE amend_id = ?", [row[:1] for row in amended])
    return len(old)


def _record(row: tuple[bytes, str, bytes | None, int, str]) -> Record:
    request, state, outcome, updated_ns, client = row
    return Record(
        request=decode_order_request(pb.OrderRequest.FromString(request), stored=True),
        state=State(state),
        outcome=None if outcome is None else decode_order_result(pb.OrderResult.FromString(outcome)),
        updated_ns=updated_ns,
        client=client,
    )
