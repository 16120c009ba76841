"""What a database in a file needs: its file, its settings, and an end of the transactions that were interrupted."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine


def make_file(path: Path) -> None:
    """Make the file and its folder where they are not there.

    SQLite would make it with the mode of the umask, and profit and orders are nobody else's business.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def prepare_connections(database: AsyncEngine) -> None:
    """Have each connection tuned when it is made, and rolled back when it is given up."""
    ends = _Ends()
    event.listen(database.sync_engine, "connect", _tune)
    event.listen(database.sync_engine, "invalidate", ends.roll_back)


class _Ends:
    """Rolls back the connections of tasks that were cancelled in a statement.

    Such a connection is closed at once, but a cursor of it lives on in the traceback. SQLite keeps the transaction, and
    with it the lock of all writers, until the garbage collector finds that cursor: minutes in which no grid can write.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def roll_back(self, connection: Any, *_: object) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # The garbage collector gives it up, after the end of the loop.
            return
        # Its thread does one thing after the other: the statement, this, and then the close that follows.
        task = loop.create_task(_roll_back(connection.driver_connection), name="roll back")
        self._running.add(task)
        task.add_done_callback(self._running.discard)


async def _roll_back(connection: Any) -> None:
    try:
        await connection.rollback()
    except ValueError:
        # It is closed already.
        return


def _tune(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=1000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
