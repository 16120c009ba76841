"""CI's promise that no test is left out: with --no-skips a skip fails, unless it is a declared capability."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CASES = {
    "in_test": "def test_it(): pytest.skip('chromium is not installed')",
    "by_mark": "@pytest.mark.skipif(True, reason='chromium is not installed')\ndef test_it(): assert True",
    "of_module": "pytest.skip('chromium is not installed', allow_module_level=True)",
    "declared": "def test_it(): pytest.skip('capability: hedge mode')",
}


def test_every_skip_but_a_declared_one_is_a_failure(tmp_path: Path) -> None:
    for name, text in CASES.items():
        (tmp_path / f"test_{name}.py").write_text(f"import pytest\n{text}\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        os.devnull,
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.conftest",
        "-rA",
    ]
    command += ["--no-skips", "--continue-on-collection-errors", str(tmp_path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50).stdout
    assert "FAILED" in said
    assert "1 failed, 1 skipped, 2 errors" in said
    assert "skipped, and --no-skips was given: chromium is not installed" in said
