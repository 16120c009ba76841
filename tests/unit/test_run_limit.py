"""No test and no run lasts for ever: each ends as a failure that shows where its threads were."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import eventually

pytestmark = pytest.mark.timeout(240)
ROOT = Path(__file__).resolve().parents[2]
STUCK = """
import asyncio, pathlib, subprocess, sys, threading

async def test_waits_for_a_thread():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path(__file__).with_name("child").write_text(str(child.pid))
    await asyncio.to_thread(threading.Event().wait)

def test_is_well():
    pass
"""


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may stay listed until its new parent looks."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except FileNotFoundError:
        return False


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder as our own suite runs, with other limits."""
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider"]
    command += ["-o", "asyncio_mode=auto", "-p", "tests.conftest", *arguments, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.parametrize("workers", ["0", "1"])
async def test_a_test_that_waits_for_a_thread_ends_soon_after_its_timeout(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_stuck.py").write_text(STUCK)
    done = run(tmp_path, "--timeout", "1", "--stuck-limit", "1", "-n", workers)
    assert done.returncode == 1
    assert "test_waits_for_a_thread was not over 1 s after its timeout of 1 s" in done.stderr
    assert "threading.py" in done.stderr
    await eventually(lambda: not alive(int((tmp_path / "child").read_text())), what="its child ends too")
    if workers == "1":
        assert "crashed while running 'test_stuck.py::test_waits_for_a_thread'" in done.stdout
        # The report of the timeout is a second failure, if the worker lived to send it: a busy machine may be slower.
        assert re.search(r" [12] failed, 1 passed", done.stdout)


def test_a_run_that_takes_too_long_fails_and_shows_every_stack(tmp_path: Path) -> None:
    (tmp_path / "test_stuck.py").write_text(STUCK)
    # A worker that starts later than this shows its stacks too, but on a busy machine it would have run no test yet.
    done = run(tmp_path, "--run-limit", "15", "-n", "1")
    assert done.returncode != 0
    assert "the run was not over after 15 s" in done.stderr
    assert "Thread 0x" in done.stderr
    assert "the run was not over after 15 s" in done.stdout
