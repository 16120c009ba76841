"""Values that mypy freezes: otherwise they are frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from opensqt.model.immutable import immutable


@immutable
class Light:
    level: int
    price: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    level: int
    price: str = ""


def test_it_is_equal_and_has_a_hash_by_its_fields() -> None:
    """A frame that is equal to the last one wants the same orders; a set of them has one of each."""
    one = Light(level=1)
    assert one == Light(level=1) != replace(one, price="2")
    assert hash(one) == hash(Frozen(level=1))
    assert repr(one) == repr(Frozen(level=1)).replace("Frozen", "Light")
    with pytest.raises(AttributeError):
        one.other = 1  # type: ignore[attr-defined]


def test_mypy_refuses_an_assignment() -> None:
    """F5: nobody changes what was handed to the store: mypy reports an unused `ignore` where that is allowed."""
    one = Light(level=1)
    one.level = 2  # type: ignore[misc]
    assert one.level == 2
