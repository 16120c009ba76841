"""Freed memory goes back to the system, each time in a process of its own: what it holds is the process's."""

from __future__ import annotations

import platform
import sys
from subprocess import run

import pytest

PROGRAM = """
import resource
from opensqt.service import memory

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6

def grown_mb(size, count):
    # What stays between two freed blocks keeps the heap from shrinking.
    before = resident_mb()
    made = [(bytearray(b"x") * size, bytearray(b"x") * 700) for _ in range(count)]
    kept = [small for _, small in made]
    made.clear()
    return resident_mb() - before, kept
"""
LARGE_BLOCKS = """
del (bytearray(b"x") * 20_000_000)[:]
grown, kept = grown_mb(1_000_000, 50)
print(grown)
"""
PIECES = """
grown, kept = grown_mb(20_000, 2_000)
before = resident_mb()
memory.trim()
print(grown, resident_mb() - before)
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


def printed(program: str) -> list[float]:
    done = run([sys.executable, "-c", PROGRAM + program], check=True, capture_output=True, text=True)
    return [float(number) for number in done.stdout.split()]


def test_large_blocks_are_returned_when_they_are_freed() -> None:
    """One freed block of 20 MB makes all smaller ones part of the heap, where those in use keep the freed ones."""
    assert printed(LARGE_BLOCKS)[0] > 30
    assert printed(f"memory.return_large_blocks(){LARGE_BLOCKS}")[0] < 10


def test_a_connector_returns_large_blocks_from_its_start() -> None:
    """F26: huge requests that were refused left 13 MB."""
    start = "from opensqt.connector.__main__ import main\nassert main(['--exchange', 'none']) == 2"
    assert printed(f"{start}{LARGE_BLOCKS}")[0] < 10


def test_pieces_between_what_is_used_are_returned_by_trimming() -> None:
    grown, changed = printed(PIECES)
    assert grown > 25
    assert changed < -20
