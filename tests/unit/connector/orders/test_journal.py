from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
import threading
import time
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from opensqt.connector.orders.journal import HaltRecord, Journal, JournalError, LeaseRecord, State
from opensqt.model.errors import ConfigError, InsufficientMargin
from opensqt.model.order import Order, OrderRequest, OrderStatus, Side
from opensqt.wire.errors import encode_order_result
from opensqt.wire.requests import encode_order_request
from tests.support import eventually
from tests.support.blocking import in_thread


def asked(client_order_id: str, quantity: str = "0.5") -> OrderRequest:
    return OrderRequest(
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(quantity),
        price=Decimal("100.10"),
        client_order_id=client_order_id,
    )


def placed(client_order_id: str) -> Order:
    return Order(
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal("0.5"),
        price=Decimal("100.10"),
        client_order_id=client_order_id,
        order_id="77",
        status=OrderStatus.OPEN,
    )


async def reopened(journal: Journal) -> Journal:
    await journal.close()
    again = Journal(journal.path)
    await again.open()
    return again


async def test_a_new_intent_is_claimed_and_a_known_one_is_told(journal: Journal) -> None:
    assert await journal.claim([asked("a")]) == [None]
    (record,) = await journal.claim([asked("a")])
    assert record is not None
    assert (record.request, record.state, record.outcome) == (asked("a"), State.SENT, None)


async def test_an_intent_is_on_disk_before_the_claim_returns(journal: Journal, tmp_path: Path) -> None:
    """F1: a process killed right after the claim still knows what it may have sent."""
    await journal.claim([asked("a"), asked("b")])
    await in_thread(shutil.copytree, tmp_path, tmp_path / "killed")
    survivor = Journal(str(tmp_path / "killed" / "journal.db"))
    await survivor.open()
    assert [record.request for record in await survivor.unresolved()] == [asked("a"), asked("b")]
    await survivor.close()


async def test_an_outcome_survives_a_restart(journal: Journal) -> None:
    await journal.claim([asked("a"), asked("b")])
    await journal.settle("a", State.PLACED, placed("a"))
    await journal.settle("b", State.REFUSED, InsufficientMargin("too little", venue_code="-2019", symbol="BTCUSDT"))
    again = await reopened(journal)
    order, refusal = await again.find("a"), await again.find("b")
    await again.close()
    assert order is not None
    assert (order.state, order.outcome) == (State.PLACED, placed("a"))
    assert refusal is not None
    assert isinstance(refusal.outcome, InsufficientMargin)
    assert refusal.outcome.venue_code == "-2019"


async def test_only_a_proven_absence_may_be_claimed_again(journal: Journal) -> None:
    await journal.claim([asked("a")])
    for state in (State.UNKNOWN, State.PLACED, State.REFUSED):
        await journal.settle("a", state, placed("a"))
        assert await journal.claim([asked("a")]) != [None]
    await journal.settle("a", State.ABSENT)
    assert await journal.claim([asked("a", quantity="0.7")]) == [None]


async def test_unresolved_intents_are_those_without_a_proven_outcome(journal: Journal) -> None:
    await journal.claim([asked(name) for name in "abcde"])
    for name, state in zip("bcde", (State.UNKNOWN, State.PLACED, State.REFUSED, State.ABSENT), strict=True):
        await journal.settle(name, state)
    assert {record.request.client_order_id for record in await journal.unresolved()} == {"a", "b"}


async def test_pruning_forgets_what_is_settled_and_old_but_no_open_order(journal: Journal) -> None:
    await journal.claim([asked(name) for name in ("settled", "open", "unresolved", "late")])
    for name in ("settled", "open"):
        await journal.settle(name, State.PLACED, placed(name))
    before_ns = time.time_ns()
    await journal.settle("late", State.PLACED, placed("late"))
    assert await journal.prune(before_ns=before_ns, keep=["open"]) == 1
    assert await journal.find("settled") is None
    assert None not in [await journal.find(name) for name in ("open", "unresolved", "late")]


async def test_many_claims_at_once_all_arrive(journal: Journal) -> None:
    answers = await asyncio.gather(*(journal.claim([asked(f"c{number}")]) for number in range(200)))
    assert answers == [[None]] * 200
    assert len(await journal.unresolved()) == 200


async def test_an_outcome_that_nobody_waits_for_goes_with_the_next_intent(journal: Journal) -> None:
    await journal.claim([asked("a1")])
    statements: list[str] = []
    await journal.execute(lambda database: database.set_trace_callback(statements.append))
    statements.clear()
    settling = asyncio.create_task(journal.settle("a1", State.PLACED, placed("a1"), deferrable=True))
    await asyncio.sleep(0)
    await asyncio.gather(journal.claim([asked("a2")]), settling)
    assert statements.count("COMMIT") == 1


async def test_a_patient_outcome_is_written_though_no_other_intent_comes(journal: Journal) -> None:
    await journal.claim([asked("a1")])
    await journal.settle("a1", State.PLACED, placed("a1"), deferrable=True)
    record = await journal.find("a1")
    assert record is not None
    assert record.state is State.PLACED


async def test_closing_writes_what_was_patient(journal: Journal) -> None:
    await journal.claim([asked("a1")])
    settling = asyncio.create_task(journal.settle("a1", State.PLACED, placed("a1"), deferrable=True))
    await asyncio.sleep(0)
    await journal.close()
    await settling
    again = Journal(journal.path)
    await again.open()
    record = await again.find("a1")
    await again.close()
    assert record is not None
    assert record.state is State.PLACED


async def test_an_outcome_is_not_overwritten_by_what_was_written_down_before_it(journal: Journal) -> None:
    """F1: a slow disk must not leave a resolved order unknown, to be asked for when the venue has forgotten it."""
    await journal.claim([asked("a1")])
    free = threading.Event()
    slow = asyncio.create_task(journal.execute(lambda _database: free.wait(5)))
    await asyncio.sleep(0)
    unknown = asyncio.create_task(journal.settle("a1", State.UNKNOWN))
    await asyncio.sleep(0)
    known = asyncio.create_task(journal.settle("a1", State.PLACED, placed("a1"), deferrable=True))
    await eventually(lambda: not journal.deferred)
    free.set()
    await asyncio.gather(slow, unknown, known)
    record = await journal.find("a1")
    assert record is not None
    assert (record.state, record.outcome) == (State.PLACED, placed("a1"))


async def test_a_second_connector_on_the_same_journal_is_refused(journal: Journal) -> None:
    second = Journal(journal.path)
    with pytest.raises(ConfigError, match="another connector uses it"):
        await second.open()
    await second.close()


async def test_a_file_that_is_no_journal_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be taken for a damaged one" * 20)
    journal = Journal(str(path))
    with pytest.raises(ConfigError, match=r"notes\.txt: can't be used: file is not a database"):
        await journal.open()
    await journal.close()


async def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    journal = Journal(str(path))
    with pytest.raises(ConfigError, match="another version"):
        await journal.open()
    await journal.close()


async def test_an_intent_keeps_who_asked_for_it(journal: Journal) -> None:
    await journal.claim([asked("a"), asked("b")], client="maker")
    await journal.claim([asked("c")])
    again = await reopened(journal)
    record, owners = await again.find("a"), await again.owners(["a", "b", "c", "foreign"])
    await again.close()
    assert record is not None
    assert (record.client, record.is_of("maker"), record.is_of("taker")) == ("maker", True, False)
    assert owners == {"a": "maker", "b": "maker"}


async def test_an_id_that_was_proven_absent_stays_with_its_client(journal: Journal) -> None:
    await journal.claim([asked("a")], client="maker")
    await journal.settle("a", State.ABSENT)
    assert await journal.claim([asked("a")], client="taker") != [None]
    assert await journal.claim([asked("a")], client="maker") == [None]


async def test_a_journal_of_version_1_is_taken_over_with_all_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    _write_version_1(path)
    journal = Journal(str(path))
    await journal.open()
    old, open_ids = await journal.find("old"), [one.request.client_order_id for one in await journal.unresolved()]
    assert old is not None
    assert (old.request, old.outcome, old.client, old.is_of("anybody")) == (asked("old"), placed("old"), "", True)
    assert open_ids == ["sent"]
    assert await journal.claim([asked("new")], client="maker") == [None]
    again = await reopened(journal)
    assert await again.owners(["old", "sent", "new"]) == {"new": "maker"}
    await again.close()


async def test_a_journal_of_version_2_is_taken_over_and_holds_halts_then(journal: Journal) -> None:
    await journal.claim([asked("a")], client="maker")
    await journal.close()
    with sqlite3.connect(journal.path) as database:
        database.executescript("DROP TABLE halt; DROP TABLE lease; PRAGMA user_version = 2;")
    database.close()
    again = Journal(journal.path)
    await again.open()
    assert await again.owners(["a"]) == {"a": "maker"}
    assert await again.halts() == []
    await again.close()


async def test_a_halt_survives_a_restart_until_it_is_dropped(journal: Journal) -> None:
    """F39: trading must not go on by itself because the connector was started again."""
    first = HaltRecord(halt_id="h1", client="risk", reason="margin call", since_ms=5)
    second = HaltRecord(halt_id="h2", client="risk", symbol="BTCUSDT", ttl_ms=1_000, since_ms=6)
    await journal.keep_halt(second)
    await journal.keep_halt(first)
    await journal.keep_halt(first)
    again = await reopened(journal)
    assert await again.halts() == [first, second]
    await again.drop_halt("h1")
    last = await reopened(again)
    assert await last.halts() == [second]
    await last.close()


WITHOUT_NUMBERS = "ALTER TABLE lease DROP COLUMN number; ALTER TABLE lease DROP COLUMN ended_number;"


def _write_version_1(path: Path) -> None:
    """Write a journal as the first version made it."""
    with sqlite3.connect(path) as database:
        database.executescript("""
            PRAGMA journal_mode = WAL;
            CREATE TABLE intent (
                client_order_id TEXT PRIMARY KEY, request BLOB NOT NULL, state TEXT NOT NULL, outcome BLOB,
                updated_ns INTEGER NOT NULL
            ) WITHOUT ROWID;
            CREATE INDEX intent_by_state ON intent (state, updated_ns);
            CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), written_ns INTEGER NOT NULL);
            PRAGMA user_version = 1;
        """)
        rows = [
            ("old", encode_order_request(asked("old")).SerializeToString(), "PLACED",
             encode_order_result(placed("old")).SerializeToString(), 1),
            ("sent", encode_order_request(asked("sent")).SerializeToString(), "SENT", None, 2),
        ]  # fmt: skip
        database.executemany("INSERT INTO intent VALUES (?, ?, ?, ?, ?)", rows)
    database.close()


async def test_a_lease_survives_a_restart_until_it_is_dropped(journal: Journal) -> None:
    maker = LeaseRecord(client="maker", ttl_ms=5_000, number=7, ended_number=6)
    await journal.keep_lease(LeaseRecord(client="taker", ttl_ms=1_000))
    await journal.keep_lease(maker)
    await journal.keep_lease(replace(maker, ended=True, canceling=True))
    await journal.drop_lease("taker")
    again = await reopened(journal)
    leases = await again.leases()
    await again.close()
    assert leases == [replace(maker, ended=True, canceling=True)]


async def test_a_journal_of_version_5_is_taken_over_with_its_leases(journal: Journal) -> None:
    await journal.keep_lease(LeaseRecord(client="maker", ttl_ms=5_000))
    await journal.close()
    with closing(sqlite3.connect(journal.path)) as database:
        database.executescript(f"{WITHOUT_NUMBERS} PRAGMA user_version = 5;")
    again = Journal(journal.path)
    await again.open()
    assert await again.leases() == [LeaseRecord(client="maker", ttl_ms=5_000)]
    await again.close()


async def test_a_write_that_fails_is_told_to_each_caller_and_leaves_nothing_half_written(journal: Journal) -> None:
    """F32: what can't be committed whole is not there at all."""
    await journal.claim([asked("a")])
    blocked = journal.execute(lambda database: database.execute("PRAGMA max_page_count = 1"))
    await blocked
    many = [asked(f"full{number}") for number in range(500)]
    with pytest.raises(JournalError, match="full"):
        await journal.claim(many)
    assert await journal.find("full0") is None
    assert await journal.find("a") is not None


async def test_a_closed_journal_says_so(journal: Journal) -> None:
    await journal.close()
    with pytest.raises(JournalError, match="closed"):
        await journal.probe()


async def test_a_request_is_kept_in_the_bytes_in_which_it_came(tmp_path: Path) -> None:
    """A field that only a newer client knows is still there for the connector that comes after this one."""
    journal = Journal(str(tmp_path / "journal.db"))
    await journal.open()
    came = encode_order_request(asked("a")).SerializeToString() + b"\xa2\x06\x03new"
    assert await journal.claim([asked("a"), asked("b")], encoded=[came, b""]) == [None, None]
    await journal.close()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
        kept = dict(database.execute("SELECT client_order_id, request FROM intent"))
    assert kept == {"a": came, "b": encode_order_request(asked("b")).SerializeToString()}


async def test_a_journal_whose_file_is_removed_or_replaced_fails_its_probe(tmp_path: Path) -> None:
    """F32: health said SERVING, and what was written went into a file without a name."""
    path = tmp_path / "journal.db"
    journal = Journal(str(path))
    await journal.open()
    try:
        await journal.probe()
        path.rename(tmp_path / "away.db")
        with pytest.raises(JournalError, match="removed or replaced"):
            await journal.probe()
        path.touch()
        with pytest.raises(JournalError, match="removed or replaced"):
            await journal.probe()
    finally:
        await journal.close()


async def test_nothing_new_is_taken_in_once_the_file_is_known_to_be_gone(tmp_path: Path) -> None:
    """F1, F32: an intent in a file without a name is lost with the process, and could be sent twice after it."""
    path = tmp_path / "journal.db"
    journal = Journal(str(path))
    await journal.open()
    try:
        assert await journal.claim([asked("a")]) == [None]
        path.unlink()
        with pytest.raises(JournalError, match="removed or replaced"):
            await journal.probe()
        with pytest.raises(JournalError, match="removed or replaced"):
            await journal.claim([asked("b")])
        # What is under way goes on.
        await journal.settle("a", State.PLACED, placed("a"))
        record = await journal.find("a")
        assert record is not None
        assert record.state is State.PLACED
    finally:
        await journal.close()


async def test_a_second_connector_is_refused_though_the_file_of_the_first_one_is_gone(tmp_path: Path) -> None:
    """F1, F32: it made a new file, and two connectors traded one account."""
    path = tmp_path / "journal.db"
    journal = Journal(str(path))
    await journal.open()
    try:
        path.rename(tmp_path / "away.db")
        second = Journal(str(path))
        with pytest.raises(ConfigError, match="another connector uses it"):
            await second.open()
        await second.close()
        assert not path.exists()
    finally:
        await journal.close()
    third = Journal(str(path))
    await third.open()
    await third.close()


async def test_a_damaged_journal_is_refused_at_the_start_with_advice(tmp_path: Path) -> None:
    """F32: a page of zeros in the middle was found with the first order that met it."""
    path = tmp_path / "journal.db"
    journal = Journal(str(path))
    await journal.open()
    await journal.claim([asked(f"id{number}") for number in range(400)])
    await journal.close()
    damaged = bytearray(path.read_bytes())
    for start in range(8_192, len(damaged), 4_096):
        damaged[start : start + 4_096] = bytes(4_096)
    path.write_bytes(damaged)
    with pytest.raises(ConfigError, match=r"damaged|malformed"):
        await Journal(str(path)).open()


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}


async def test_only_its_owner_reads_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(str(path))
    await journal.open()
    try:
        await journal.probe()
        assert modes(tmp_path) == {0o600}
    finally:
        await journal.close()


async def test_damage_that_a_write_meets_fails_every_probe_from_then_on(tmp_path: Path) -> None:
    """F32: the probe writes elsewhere in the file, where all is well."""

    def meets_damage(_database: sqlite3.Connection) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    journal = Journal(str(tmp_path / "journal.db"))
    await journal.open()
    try:
        with pytest.raises(JournalError):
            await journal.execute(meets_damage)
        with pytest.raises(JournalError, match="malformed"):
            await journal.probe()
    finally:
        await journal.close()
