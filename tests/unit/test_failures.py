"""The list of what must never happen, and the tests that name its rows, agree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "failures.md"
ROW = re.compile(r"^\| (F\d+) \| (?P<what>[^|]+) \|.*\| (?P<proof>[^|]+) \|$", re.MULTILINE)
ROWS = {match[1]: match["proof"] for match in ROW.finditer(PAGE.read_text(encoding="utf-8"))}
NAMED = re.compile(r"\bF\d{1,2}\b")
CONTRACT = ROOT / "src" / "opensqt" / "testing" / "contract"
"""Behaviours that tests/contract runs."""
TESTS = sorted(path for folder in (ROOT / "tests", CONTRACT) for path in folder.rglob("*.py") if path != Path(__file__))


def docstrings(path: Path) -> Iterator[str]:
    """The docstrings of a file that name a row."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node) or ""
            if NAMED.search(text):
                yield text


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_docstring_that_names_a_row_has_a_sentence_and_the_row_exists(path: Path) -> None:
    for text in docstrings(path):
        assert set(NAMED.findall(text)) <= ROWS.keys(), text
        words = re.findall(r"[a-z]{2,}", NAMED.sub("", text))
        assert len(words) >= 3, f"only a number, no sentence: {text!r}"


@pytest.mark.parametrize(("row", "proof"), ROWS.items(), ids=ROWS)
def test_the_proofs_of_a_row_exist_and_name_it(row: str, proof: str) -> None:
    """A row without a proof says so; and a row with one does not say that it is open."""
    paths = re.findall(r"\]\(\.\./((?:tests|src)/[\w/]+\.py)\)", proof)
    named = any(re.search(rf"\b{row}\b", path.read_text(encoding="utf-8")) for path in TESTS)
    assert bool(paths) == named, f"{row}: the page says {proof!r}"
    assert paths or proof == "open"
    for path in paths:
        assert re.search(rf"\b{row}\b", (ROOT / path).read_text(encoding="utf-8")), path


def test_the_rows_are_numbered_without_a_gap() -> None:
    assert list(ROWS) == [f"F{number}" for number in range(1, len(ROWS) + 1)]
