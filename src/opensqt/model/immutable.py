"""Values that are made many times in one decision: dataclasses that only mypy freezes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def immutable(cls: type[T]) -> type[T]:
    """Make a slotted keyword-only dataclass whose fields mypy lets nobody assign.

    A dataclass that Python freezes sets each field by a call, and takes 2.7 times as long to make
    (docs/adr/0020-values-frozen-by-mypy.md). It is for values of the market maker's decisions and the requests that
    they end in; everything else is `@dataclass(frozen=True)`.
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)
