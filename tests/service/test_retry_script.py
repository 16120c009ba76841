"""scripts/test_retry.sh sees the ten attempts of a real market maker."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "test_retry.sh"


async def run(market_maker: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        str(SCRIPT),
        env=os.environ | {"MARKET_MAKER": market_maker},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_the_script_sees_ten_attempts_and_exit_code_4() -> None:
    code, output = await run(str(Path(sys.executable).with_name("market-maker")))
    assert code == 0, output
    assert "ok: ten attempts" in output


async def test_the_script_fails_when_there_is_nothing_to_see() -> None:
    code, output = await run("true")
    assert code == 1
    assert "expected exit code 4, got 0" in output
