"""Options and markers of the whole suite."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

# Compiled modules are kept even where the environment says otherwise, as images of Python often do: each worker would
# rewrite the asserts of all tests again, and each program that a test starts would compile all its modules again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from tests.support import logs, run_limit, wait  # noqa: E402 - these are to be kept too

pytest_plugins = ["opensqt.testing.contract.plugin"]  # here its table is known to every run, in parallel ones too

R = TypeVar("R", pytest.TestReport, pytest.CollectReport)

DECLARED = "capability:"
"""A skip whose reason starts so is a venue's declared difference, not a program that is missing here."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--large", action="store_true", help="run the full-size FAILURES.md proofs too")
    parser.addoption(
        "--no-skips",
        action="store_true",
        help=f"a skip is a failure, unless its reason starts with {DECLARED!r} (CI, where every program is installed)",
    )
    run_limit.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(run_limit.RunLimit(config))
    logs.never_cache_loggers()
    wait.strict = bool(config.getoption("--large"))
    # A busy machine is no failure, and a run at test size gives the same answer for the same code; --large searches on.
    patient: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("tests", derandomize=not wait.strict, **patient)
    settings.load_profile("tests")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A run in the background of a script ignores Ctrl-C, and so would every program that it starts.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked large, unless --large was given."""
    if config.getoption("--large"):
        return
    left_out = [item for item in items if item.get_closest_marker("large")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("large")]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector off what stays for the whole run: imported modules and collected tests.

    While the tests are collected nothing is thrown away, and each full collection walks all that was made so far.
    Afterwards it would walk it again and again.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000)  # as the connector: a look at every 700 objects finds next to nothing
        gc.enable()


@pytest.fixture(autouse=True)
def _logging_restored() -> Iterator[None]:
    with logs.logging_restored():
        yield


@pytest.fixture
def large(request: pytest.FixtureRequest) -> bool:
    """Whether --large was given: a proof then runs at the size that FAILURES.md names."""
    return bool(request.config.getoption("--large"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, pytest.TestReport]:
    report: pytest.TestReport = yield
    return _judge(item.config, report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, pytest.CollectReport]:
    report: pytest.CollectReport = yield
    return _judge(collector.config, report)


def _judge(config: pytest.Config, report: R) -> R:
    """Turn a skip that --no-skips does not allow into a failure."""
    if report.outcome != "skipped" or hasattr(report, "wasxfail") or not config.getoption("--no-skips"):
        return report
    _, _, reason = report.longrepr
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(DECLARED):
        report.outcome = "failed"
        report.longrepr = f"skipped, and --no-skips was given: {reason}"
    return report
