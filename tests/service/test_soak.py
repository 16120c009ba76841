"""The soak ends with 0 when nothing grows, and with 1 when the connector leaks."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path


async def soak(results: Path, duration: str, **env: str) -> tuple[int, str]:
    # Latencies are left out: what else runs on this machine moves them.
    flags = ["--duration", duration, "--every", "0.1", "--results", str(results)]
    flags += [flag for name in ("memory", "tasks", "descriptors") for flag in ("--judge", name)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.soak", *flags),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **env},
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def test_a_sound_connector_is_flat_and_the_run_is_written_down(tmp_path: Path) -> None:
    """F27, in short; `make soak DURATION=10m` is the long one."""
    code, output = await soak(tmp_path, "6s")
    assert code == 0, output
    told = json.loads((tmp_path / "soak.json").read_text())
    assert {trend["name"]: trend["flat"] for trend in told["trends"]} == {
        "memory": True,
        "tasks": True,
        "descriptors": True,
    }
    assert min(told["done"].values()) > 0, "some part of the load did nothing"
    assert (tmp_path / "soak.svg").read_text().count("<polyline") == 3


async def test_a_leak_is_caught(tmp_path: Path) -> None:
    """F26: the connector that is run here keeps 250 KB for each subscription."""
    code, output = await soak(tmp_path, "4s", OPENSQT_SOAK_LEAK="1")
    assert code == 1, output
    assert "GROWS" in output
