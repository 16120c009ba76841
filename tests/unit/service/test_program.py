"""How a console script ends, as real processes: the code, one plain sentence, no traceback."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support import eventually
from tests.support.process import Process, start

SCRIPT = """
import asyncio, sys
from opensqt.service import program
from opensqt.model.errors import ConfigError
from opensqt.model import errors

async def service(stop):
    {body}

if __name__ == "__main__":
    sys.exit(program.run(service))
"""


@pytest.fixture
def script(tmp_path: Path):
    """Start a script whose service does what is given."""

    def make(body: str):
        (tmp_path / "entry_case.py").write_text(SCRIPT.format(body=body), encoding="utf-8")
        return start("entry_case", env={"PYTHONPATH": str(tmp_path)})

    return make


def lines(process: Process) -> list[str]:
    return process.stderr.decode().splitlines()


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("return", 0, None),
        ("return 7", 7, None),
        ("raise ConfigError('port 50051: already in use')", 2, "error: port 50051: already in use"),
        ("raise errors.CredentialsRefused('the key was refused')", 3, "error: the key was refused"),
        ("raise errors.ClockSkew('the clock is off')", 3, "error: the clock is off"),
        ("raise errors.ConnectorUnavailable('no answer')", 4, "error: no answer"),
        ("raise errors.Unreachable('no route')", 4, "error: no route"),
        ("raise errors.VenueError('odd answer')", 1, "error: odd answer"),
    ],
)
async def test_each_kind_of_end_has_its_code_and_one_line(script, body: str, code: int, line: str | None) -> None:
    async with script(body) as process:
        assert await process.wait() == code
    assert lines(process) == ([line] if line else [])


async def test_an_unexpected_failure_is_one_line_that_says_how_to_see_more(script) -> None:
    async with script("raise RuntimeError('first\\nsecond')") as process:
        assert await process.wait() == 1
    assert lines(process) == ["error: first second (RuntimeError); set LOG_LEVEL=DEBUG for the trace"]
    assert process.stdout == b""


async def test_the_trace_is_shown_when_the_level_asks_for_it(script) -> None:
    body = "from opensqt.telemetry import logging; logging.configure('DEBUG', service='x'); raise RuntimeError('odd')"
    async with script(body) as process:
        assert await process.wait() == 1
    assert b"Traceback" in process.stderr


async def test_no_secret_is_in_the_last_line(script) -> None:
    """F33: no secret shows in a log, an error or a page."""
    async with script("raise RuntimeError('GET /x?signature=abcdef0123456789&api_key=abcdef012345')") as process:
        assert await process.wait() == 1
    assert b"abcdef" not in process.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_service_end_in_good_order(script, number: signal.Signals) -> None:
    async with script("print('up', flush=True); await stop.wait(); print('in order', flush=True)") as process:
        await eventually(lambda: b"up" in process.stdout)
        process.send(number)
        assert await process.wait() == 0
    assert process.stdout.split() == [b"up", b"in", b"order"]


async def test_a_second_signal_ends_a_service_that_hangs(script) -> None:
    hang = "print('up', flush=True); await stop.wait(); print('hangs', flush=True); await asyncio.Event().wait()"
    async with script(hang) as process:
        await eventually(lambda: b"up" in process.stdout)
        process.send(signal.SIGTERM)
        await eventually(lambda: b"hangs" in process.stdout)
        process.send(signal.SIGTERM)
        assert await process.wait() == 1


SPIN = """
    def spin():
        print('ready on 127.0.0.1:1', flush=True)
        while True:
            pass
    asyncio.get_running_loop().call_soon(spin)
    await stop.wait()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_loop_that_never_comes_to_the_signal_is_ended_by_the_limit(tmp_path: Path, number: int) -> None:
    """F49: the limit of a stop holds although the event loop is occupied for good."""
    spinning = SCRIPT.format(body=SPIN.strip()).replace("run(service)", "run(service, end_within_s=0.5)")
    (tmp_path / "entry_case.py").write_text(spinning, encoding="utf-8")
    async with start("entry_case", env={"PYTHONPATH": str(tmp_path)}) as process:
        await process.ready()
        process.send(signal.Signals(number))
        assert await process.wait() == 1
    assert lines(process) == [
        "error: the stop took too long and was cut off: orders may be open; the next start takes them up"
    ]


async def test_a_second_signal_ends_a_loop_at_once_that_is_occupied(script) -> None:
    """F49: without a limit the second signal ends the process, whatever the event loop does."""
    async with script(SPIN.strip()) as process:
        await process.ready()
        process.send(signal.SIGTERM)
        process.send(signal.SIGINT)
        assert await process.wait() == 1
