"""The same check for several names: all at once where they wait, or a part of them at test size."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import pytest


async def at_once(names: Collection[str], check: Callable[[str], Awaitable[None]]) -> None:
    """Run *check* for each name at the same time; a failure says whose it is.

    For checks that mostly wait: together they take as long as one of them.
    """

    async def named(name: str) -> None:
        try:
            await check(name)
        except Exception as error:
            error.add_note(f"in the check of {name}")
            raise

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(named(name))


def small(names: Collection[str], *kept: str) -> list[Any]:
    """Return all names as parameters of a test; those that are not *kept* are only run with --large."""
    assert set(kept) <= set(names)
    return [name if name in kept else pytest.param(name, marks=pytest.mark.large) for name in names]
