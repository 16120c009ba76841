"""What an order manager stands on: a journal on the disk, and tasks of which none may have died."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from opensqt.connector.orders.journal import Journal
from opensqt.connector.tasks import Tasks


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(str(tmp_path / "journal.db"))
    await journal.open()
    yield journal
    await journal.close()


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.close()
    assert tasks.checks() == []
