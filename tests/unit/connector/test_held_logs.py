"""What a start logs is kept back, but not from somebody who waits for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from opensqt.connector.__main__ import logs_held_back
from tests.support import eventually


class Terminal(logging.Handler):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def alone() -> Iterator[Terminal]:
    """Let it be the only one that is shown anything, as in a process of its own."""
    root = logging.getLogger()
    before, level, shown = root.handlers[:], root.level, Terminal()
    root.handlers[:] = [shown]
    root.setLevel(logging.WARNING)
    try:
        yield shown
    finally:
        root.handlers[:] = before
        root.setLevel(level)


def fail() -> None:
    with logs_held_back("INFO"):
        logging.getLogger("venue").warning("connecting")
        raise ValueError("refused")


async def test_a_start_that_fails_soon_shows_no_log() -> None:
    with alone() as terminal, pytest.raises(ValueError, match="refused"):
        fail()
    assert terminal.lines == []


async def test_a_start_that_succeeds_shows_its_log_in_order() -> None:
    with alone() as terminal:
        with logs_held_back("INFO"):
            logging.getLogger("venue").warning("connecting")
            assert terminal.lines == []
        logging.getLogger("venue").warning("serving")
    assert terminal.lines == ["connecting", "serving"]


async def test_a_start_that_waits_for_the_venue_tells_why() -> None:
    with alone() as terminal, logs_held_back("INFO", at_most_s=0.01):
        logging.getLogger("venue").warning("the venue asks for a wait")
        await eventually(lambda: terminal.lines == ["the venue asks for a wait"])
        logging.getLogger("venue").warning("it asks again")
    assert terminal.lines == ["the venue asks for a wait", "it asks again"]
