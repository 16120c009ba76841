"""A program that the tests' server forks is the same as one that a new interpreter runs."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import eventually, start
from tests.support.blocking import in_thread
from tests.support.process import run_program

SIMULATOR = ("--exchange", "okx", "--port", "0")
ENDS = """
import asyncio
from tests.support import fork_server, start

async def main():
    async with start("opensqt.simulator", "--exchange", "okx", "--port", "0") as process:
        await process.ready()
    print(fork_server.server_pid())

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("--exchange", "nope"), {}),
        (("--exchange", "okx"), {"OPENSQT__SERVER__PORT": "x"}),
        (("--config", "config.yaml"), {}),
        (("--help",), {"COLUMNS": "60"}),
    ],
)
async def test_it_ends_and_speaks_alike(arguments: tuple[str, ...], env: dict[str, str], tmp_path: Path) -> None:
    """Its arguments, environment and folder are its own, and its exit code and output are seen."""
    (tmp_path / "config.yaml").write_text("exchange: 7\n")
    async with start("opensqt.connector", *arguments, env=env, cwd=tmp_path) as forked:
        await forked.wait()
    command = [sys.executable, "-m", "opensqt.connector", *arguments]
    fresh = await in_thread(subprocess.run, command, cwd=tmp_path, env=env, capture_output=True, check=False)
    assert (forked.returncode, forked.stdout, forked.stderr) == (fresh.returncode, fresh.stdout, fresh.stderr)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 0), (signal.SIGINT, 0)])
async def test_a_signal_reaches_it_and_its_end_is_seen(number: signal.Signals, code: int) -> None:
    async with start("opensqt.simulator", *SIMULATOR) as process, start("opensqt.simulator", *SIMULATOR) as other:
        await asyncio.gather(process.ready(), other.ready())
        process.send(number)
        assert await process.wait() == code
        assert other.returncode is None


async def test_the_server_ends_with_the_process_that_it_serves() -> None:
    code, output = await run_program("-c", ENDS)
    assert code == 0, output
    stat = Path("/proc", output.split()[-1], "stat")
    await eventually(lambda: not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z")
