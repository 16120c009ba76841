"""The documents lead somewhere: every relative link names a file that is there, and every page is in the index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not broken


def test_every_page_is_in_the_index() -> None:
    listed = LINK.findall((ROOT / "docs" / "README.md").read_text())
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= set(listed)


def test_every_alarm_has_its_part_of_the_runbook_and_no_other_has() -> None:
    groups = yaml.safe_load((ROOT / "docs" / "alerts.yaml").read_text())["groups"]
    alarms = [rule["alert"] for group in groups for rule in group["rules"]]
    assert alarms
    assert re.findall(r"^### (\w+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE) == alarms


def test_every_decision_is_in_its_index_and_short() -> None:
    folder = ROOT / "docs" / "adr"
    listed = set(LINK.findall((folder / "README.md").read_text()))
    decisions = {page.name: page for page in folder.glob("[0-9]*.md")}
    assert decisions
    assert decisions.keys() == listed
    assert all(len(page.read_text().splitlines()) < 80 for page in decisions.values())
