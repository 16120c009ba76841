"""Options and markers of the whole suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--large", action="store_true", help="run the full-size FAILURES.md proofs too")


@pytest.fixture
def large(request: pytest.FixtureRequest) -> bool:
    """Whether --large was given: a proof then runs at the size that FAILURES.md names."""
    return bool(request.config.getoption("--large"))
