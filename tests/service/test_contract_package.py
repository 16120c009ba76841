"""The contract suite runs outside of this repository, by the files that docs/testing.md shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCK = re.compile(r"```python\n# (\S+\.py)\n(.*?)```", re.DOTALL)
INI = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
BROKEN = """

class NeverCancels(InMemoryExchange):
    async def cancel_order(self, ref):
        return await self.get_order(ref)


InMemoryExchange = NeverCancels
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of somebody who has an exchange of their own."""
    files = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
    assert files.keys() == {"conftest.py", "test_contract.py"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(INI, encoding="utf-8")
    return tmp_path


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--strict-markers", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)


def test_the_files_of_the_page_run_the_whole_suite(project: Path) -> None:
    run = run_pytest(project, "-q")
    assert run.returncode == 0, run.stdout + run.stderr
    said = re.search(r"(\d+) tests of placing", PAGE.read_text(encoding="utf-8"))
    assert said is not None
    ended = re.search(r"^(\d+) passed, (\d+) skipped in", run.stdout, re.M)
    assert ended is not None, run.stdout
    assert int(said[1]) == int(ended[1]) + int(ended[2])
    assert ended[2] == "1", "only what the memory exchange's capabilities leave out"
    table = run.stdout.partition("contract suite")[2]
    parts = "account amending batches canceling funding market_data placing public_data queries"
    parts += " settings streams untradable"
    assert re.search(r"^subject +" + parts.replace(" ", " +"), table, re.M)
    assert re.search(r"^my venue +\d+", table, re.M)


def test_an_implementation_that_breaks_the_contract_fails_with_the_values_compared(project: Path) -> None:
    page = (project / "conftest.py").read_text(encoding="utf-8")
    (project / "conftest.py").write_text(page.replace("\n\nclass MemoryMarket", BROKEN + "\n\nclass MemoryMarket"))
    run = run_pytest(project, "-q", "-k", "TestCancelOrder")
    assert run.returncode == 1, run.stdout + run.stderr
    assert "OrderStatus.OPEN" in run.stdout
    assert "CANCELED" in run.stdout
