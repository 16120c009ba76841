"""The real grpc_health_probe, as a container's health check runs it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest

_NAMES = ("grpc_health_probe", "grpc-health-probe")


def find_probe() -> str:
    """Answer the program's path, or skip the test."""
    folders = os.environ.get("GOPATH", str(Path.home() / "go")).split(os.pathsep)
    places = os.pathsep.join([os.environ.get("PATH", ""), *(f"{folder}/bin" for folder in folders)])
    for name in _NAMES:
        if found := shutil.which(name, path=places):
            return found
    pytest.skip("grpc_health_probe is not installed")


async def probe(address: str, *, service: str = "") -> tuple[int, str]:
    """Ask once; answer the exit code and the status that it printed (empty if it could not connect)."""
    process = await asyncio.create_subprocess_exec(
        find_probe(),
        f"-addr={address}",
        f"-service={service}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    status = re.search(r"\b(NOT_SERVING|SERVING)\b", output.decode())
    return process.returncode or 0, status[1] if status else ""
