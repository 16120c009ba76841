"""A context variable's value for a block."""

from __future__ import annotations

from contextvars import ContextVar

import pytest

from opensqt.model.scoped import Scoped

NUMBER: ContextVar[int] = ContextVar("number", default=0)


def test_the_value_before_is_back_after_each_block() -> None:
    with Scoped(NUMBER, 1):
        with Scoped(NUMBER, 2):
            assert NUMBER.get() == 2
        assert NUMBER.get() == 1
    assert NUMBER.get() == 0


def test_the_value_before_is_back_after_an_error_which_goes_on() -> None:
    with pytest.raises(ValueError, match="x"), Scoped(NUMBER, 1):
        raise ValueError("x")
    assert NUMBER.get() == 0
