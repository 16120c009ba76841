"""The kill switch starts without what only the demo needs."""

from __future__ import annotations

import subprocess
import sys

ONLY_THE_DEMO = ("sqlalchemy", "aiohttp", "opensqt.simulator", "opensqt.market_maker.store")


def test_the_commands_for_an_emergency_import_nothing_of_the_demo() -> None:
    code = f"import sys, opensqt.cli.__main__; print([name for name in {ONLY_THE_DEMO!r} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.strip() == "[]"
