"""Ends a run, or a test that its own timeout could not end, and shows the stack of every thread first.

pytest-timeout interrupts the main thread. A test that waits for another thread stays where it is all the same, for the
event loop joins its threads when it closes. Such a process has to be ended from outside its main thread; under
pytest-xdist it is one worker, which is replaced, and its test is reported as failed.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

_RUN_LIMIT_S = 2400
_STUCK_LIMIT_S = 120
"""On a busy machine the report of a test that timed out, with its log, takes more than half a minute."""
_END_LIMIT_S = 120
"""Seconds that a process may live after its last test."""
_NEWCOMER_S = 60
"""What a worker gets that replaces another one after the end of the run's time: pytest-xdist then ends it."""
_DEADLINE = "run_deadline"


def add_options(parser: pytest.Parser) -> None:
    """Add what limits a run."""
    group = parser.getgroup("run limit")
    group.addoption(
        "--run-limit",
        type=float,
        default=_RUN_LIMIT_S,
        metavar="SECONDS",
        help="the whole run fails after so long, with the stack of every thread (default: %(default)s; 0: no limit)",
    )
    group.addoption(
        "--stuck-limit",
        type=float,
        default=_STUCK_LIMIT_S,
        metavar="SECONDS",
        help="a process whose test has not ended so long after its timeout is killed (default: %(default)s)",
    )


class Alarm:
    """A thread that ends this process when one of its deadlines has passed."""

    def __init__(self) -> None:
        # The descriptor of the terminal: pytest's capture has not begun yet, or stands aside while plugins are set up.
        assert sys.__stderr__ is not None
        self._stderr = os.dup(sys.__stderr__.fileno())
        self._deadlines: dict[str, tuple[float, str]] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._watch, name="run limit", daemon=True).start()

    def set(self, name: str, seconds: float, why: str) -> None:
        """Set the deadline of that name, in place of the one that it had."""
        with self._changed:
            self._deadlines[name] = (time.monotonic() + seconds, why)
            self._changed.notify()

    def drop(self, name: str) -> None:
        """Forget a deadline."""
        with self._changed:
            self._deadlines.pop(name, None)

    def _watch(self) -> None:
        with self._changed:
            while True:
                at_s, why = min(self._deadlines.values(), default=(float("inf"), ""))
                left_s = at_s - time.monotonic()
                if left_s <= 0:
                    self._end(why)
                self._changed.wait(min(left_s, threading.TIMEOUT_MAX))

    def _end(self, why: str) -> None:
        os.write(self._stderr, f"\n++ {why}; process {os.getpid()} ends; its threads: ++\n".encode())
        faulthandler.dump_traceback(self._stderr, all_threads=True)
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os._exit(1)


class RunLimit:
    """The plugin: one alarm in each process of a run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._alarm = Alarm()
        self._stuck_limit_s: float = config.getoption("--stuck-limit")
        limit_s: float = config.getoption("--run-limit")
        self._why = f"the run was not over after {limit_s:g} s"
        worker: dict[str, Any] | None = getattr(config, "workerinput", None)
        self._deadline = time.time() + limit_s if worker is None else worker[_DEADLINE]
        if not limit_s:
            return
        if worker is None and config.getoption("numprocesses", None):
            # The workers end first, for the report of what they did is made here.
            stop = threading.Timer(limit_s, self._stop_workers)
            stop.daemon = True
            stop.start()
            limit_s += _END_LIMIT_S
        elif worker is not None:
            left_s = self._deadline - time.time()
            limit_s = left_s if left_s > 0 else _NEWCOMER_S
        self._alarm.set("run", limit_s, self._why)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker when the run ends."""
        node.workerinput[_DEADLINE] = self._deadline

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        """Stand behind the timeout of a test."""
        why = f"{item.nodeid} was not over {self._stuck_limit_s:g} s after its timeout of {settings.timeout:g} s"
        self._alarm.set("test", settings.timeout + self._stuck_limit_s, why)

    def pytest_runtest_logfinish(self) -> None:
        """The test is over, with all that was to be undone after it."""
        self._alarm.drop("test")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """See that the process ends too."""
        self._alarm.set("end", _END_LIMIT_S, "a process did not end after its tests")

    def _stop_workers(self) -> None:
        """Let pytest-xdist begin no test, replace no worker that has ended, and report what was done."""
        session: Any = self._config.pluginmanager.get_plugin("dsession")
        if session is not None:
            session.shouldstop = self._why


def _children() -> list[int]:
    """Return the processes that this one has started, where the system tells (Linux)."""
    lists = Path("/proc/self/task").glob("*/children")
    return [int(pid) for one in lists for pid in one.read_text().split()]
