"""The error tree: every class has a reason of its own, and says what a caller should do by where it stands."""

from __future__ import annotations

import re

import pytest

from opensqt.model import errors
from opensqt.model.errors import BY_REASON, ExchangeError

CLASSES = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ExchangeError)]


def test_each_class_has_a_reason_of_its_own() -> None:
    assert sorted(BY_REASON.values(), key=str) == sorted(CLASSES, key=str)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_reason_is_upper_snake_case_and_names_its_class(kind: type[ExchangeError]) -> None:
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", kind.reason)
    assert BY_REASON[kind.reason] is kind


@pytest.mark.parametrize("kind", CLASSES)
def test_the_tree_in_the_docstring_names_every_class(kind: type[ExchangeError]) -> None:
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__ or "")


def test_an_error_tells_its_facts() -> None:
    error = errors.RateLimited("slow down", venue_code="-1003", symbol="BTCUSDT", retry_after_s=2.5)
    assert (str(error), error.venue_code, error.symbol, error.retry_after_s) == ("slow down", "-1003", "BTCUSDT", 2.5)
