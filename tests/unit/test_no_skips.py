"""CI's promise that no test is left out: with --no-skips a skip fails, unless it is a declared capability."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CASES = {
    "in the test": "import pytest\ndef test_it(): pytest.skip({reason!r})\n",
    "by a mark": "import pytest\n@pytest.mark.skipif(True, reason={reason!r})\ndef test_it(): assert True\n",
    "of the module": "import pytest\npytest.skip({reason!r}, allow_module_level=True)\n",
}


def run(folder: Path, text: str, *arguments: str) -> int:
    (folder / "test_case.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider", "-p", "tests.conftest"]
    return subprocess.run([*command, *arguments, str(folder)], cwd=ROOT, capture_output=True, timeout=50).returncode


@pytest.mark.parametrize("where", CASES)
def test_a_skip_is_a_failure_when_none_is_allowed(tmp_path: Path, where: str) -> None:
    text = CASES[where].format(reason="chromium is not installed")
    assert run(tmp_path, text, "--no-skips") in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert run(tmp_path, text) in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def test_a_declared_capability_may_be_skipped(tmp_path: Path) -> None:
    text = CASES["in the test"].format(reason="capability: hedge mode")
    assert run(tmp_path, text, "--no-skips") == pytest.ExitCode.OK
