"""The tests know no private name of the product, so that its inside can change without them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PRIVATE = re.compile(r"_[A-Za-z]\w*")
REPLACING = {"setattr", "delattr"}
"""Of pytest's monkeypatch; attributes that are written out are found by ruff's SLF."""


def private_names(tree: ast.AST) -> Iterator[str]:
    """Return the private names that are imported from `opensqt`, or replaced in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("opensqt"):
            yield from (name.name for name in node.names if PRIVATE.fullmatch(name.name))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in REPLACING:
            texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            yield from (text for text in texts[:1] if PRIVATE.fullmatch(text.rpartition(".")[2]))


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTS)))
def test_no_test_reaches_into_a_private_name(path: Path) -> None:
    assert list(private_names(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "source",
    [
        "from opensqt.connector.server import _serve",
        "monkeypatch.setattr('opensqt.connector.server._EVERY_S', 1)",
        "monkeypatch.setattr(server, '_EVERY_S', 1)",
    ],
)
def test_the_three_ways_into_a_private_name_are_found(source: str) -> None:
    assert list(private_names(ast.parse(source)))
