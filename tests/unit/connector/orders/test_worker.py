from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from opensqt.connector.orders.worker import Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("work")
    yield worker
    worker.stop()


async def test_work_is_done_in_one_thread_that_is_not_the_event_loops(worker: Worker) -> None:
    names = {await worker.run(lambda: threading.current_thread().name) for _ in range(3)}
    assert names == {"work"}


async def test_the_error_of_the_work_is_raised_where_it_is_waited_for(worker: Worker) -> None:
    def fails() -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        await worker.run(fails)
    assert await worker.run(lambda: 1) == 1


async def test_what_was_given_before_the_end_is_still_done(worker: Worker) -> None:
    done: list[int] = []
    for number in range(3):
        worker.submit(lambda number=number: done.append(number), lambda _result, _error: None)
    last = worker.run(lambda: list(done))
    assert await last == [0, 1, 2]
    worker.stop()
    worker.stop()
