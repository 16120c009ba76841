"""docs/client.md is true: every block of Python on it runs against a simulated connector."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

import opensqt
from tests.support import start

PAGE = Path(__file__).resolve().parents[2] / "docs" / "client.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


async def test_every_block_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--exchange", "binance", "--simulated", "--port", "0", "--metrics-port", "0")
    async with start("opensqt.connector", *arguments, cwd=tmp_path, env={"OPENSQT__SERVER__DRAIN_S": "0"}) as process:
        monkeypatch.setenv("EXCHANGE_GRPC_ADDRESS", await process.ready())
        async with opensqt.connect(name="page") as exchange:
            names: dict[str, Any] = {}
            for block in BLOCKS:
                names |= {"opensqt": opensqt, "exchange": exchange}
                code = block.replace('"localhost:50051"', "")
                exec(f"async def block():\n{textwrap.indent(code, '    ')}    globals().update(locals())", names)
                await names["block"]()
    printed = capsys.readouterr().out
    assert len(BLOCKS) == 14
    assert "True" in printed
    assert "failed" not in printed
