"""docs/strategy.md explains every key of the section trading, with pictures that the project draws itself."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from opensqt.config.market_maker import GridTradingSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "strategy.md").read_text(encoding="utf-8")


def test_every_key_has_a_row() -> None:
    """A key that is added is explained: what it does, and what can go wrong."""
    table = PAGE.partition("## Every key")[2]
    named = {key for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
    assert named - {"trading"} == set(GridTradingSettings.model_fields)


def test_every_picture_is_shown_and_there() -> None:
    """No picture is missing, and none is drawn that the page does not show."""
    shown = set(re.findall(r"\(pictures/(\w+)\.svg\)", PAGE))
    drawn = set(runpy.run_path(str(ROOT / "scripts" / "plot_strategy.py"))["PICTURES"])
    assert shown == drawn == {path.stem for path in (ROOT / "docs" / "pictures").glob("*.svg")}


@pytest.mark.large
def test_the_pictures_are_those_that_the_engine_draws_now(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A change of the rules that changes what is traded redraws the pictures."""
    script = runpy.run_path(str(ROOT / "scripts" / "plot_strategy.py"))
    monkeypatch.setattr("sys.argv", ["plot_strategy.py"])
    script["main"].__globals__["FOLDER"] = tmp_path
    script["main"].__globals__["ROOT"] = tmp_path
    assert script["main"]() == 0
    for path in (ROOT / "docs" / "pictures").glob("*.svg"):
        assert path.read_text() == (tmp_path / path.name).read_text(), path.name
