"""A program starts without what it does not need: the kill switch without the demo, SQLite without PostgreSQL."""

from __future__ import annotations

import subprocess
import sys

ONLY_THE_DEMO = ("sqlalchemy", "aiohttp", "opensqt.simulator", "opensqt.market_maker.store")


def test_the_commands_for_an_emergency_import_nothing_of_the_demo() -> None:
    assert _imported("opensqt.cli.__main__", ONLY_THE_DEMO) == "[]"


def test_the_market_maker_imports_no_dialect_of_a_database_before_it_knows_which() -> None:
    assert _imported("opensqt.market_maker.__main__", ("sqlalchemy.dialects.postgresql",)) == "[]"


def _imported(program: str, modules: tuple[str, ...]) -> str:
    code = f"import sys, {program}; print([name for name in {modules!r} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return ended.stdout.strip()
