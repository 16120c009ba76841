"""Logging is set up for a whole process: what one test does to it does not reach the next."""

from __future__ import annotations

import logging

import structlog

from opensqt.telemetry.logging import configure, get_logger
from tests.support.logs import logging_restored

log = get_logger("restored")


def test_lines_are_captured_after_a_program_in_this_process_has_set_logging_up() -> None:
    with logging_restored():
        configure("ERROR", service="test", style="json")
        log.warning("the first line of this logger")
    structlog.reset_defaults()
    with structlog.testing.capture_logs() as logs:
        log.warning("seen")
    assert [line["event"] for line in logs] == ["seen"]


def test_handlers_level_and_set_up_are_put_back() -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    with logging_restored():
        structlog.reset_defaults()
        with logging_restored():
            configure("ERROR", service="test", style="json")
            assert (root.handlers[:], root.level) != before
        assert (root.handlers[:], root.level) == before
        assert not structlog.is_configured()


def test_a_set_up_that_was_there_is_put_back() -> None:
    with logging_restored():
        configure("ERROR", service="test", style="json")
        before = structlog.get_config()
        with logging_restored():
            structlog.reset_defaults()
        assert structlog.is_configured()
        assert structlog.get_config() == before
