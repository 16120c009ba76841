"""A sorted set of levels, for the planner: a list that C code searches, as few levels are free at a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence


class LevelSet:
    """Levels in ascending order.

    A change moves the levels above it in memory, which for some thousands costs less than a tree of any kind.
    """

    __slots__ = ("ascending",)

    def __init__(self) -> None:
        self.ascending: list[int] = []

    def __len__(self) -> int:
        return len(self.ascending)

    def __iter__(self) -> Iterator[int]:
        return iter(self.ascending)

    def __contains__(self, level: int) -> bool:
        at = bisect_left(self.ascending, level)
        return at < len(self.ascending) and self.ascending[at] == level

    def add(self, level: int) -> None:
        """Add a level; one that is there already stays."""
        levels = self.ascending
        at = bisect_left(levels, level)
        if at == len(levels) or levels[at] != level:
            levels.insert(at, level)

    def discard(self, level: int) -> None:
        """Remove a level, if it is there."""
        levels = self.ascending
        if levels:
            at = bisect_left(levels, level)
            if at < len(levels) and levels[at] == level:
                del levels[at]

    def within(self, span: range) -> Sequence[int]:
        """Return the levels of a range whose step is one, up or down, in its order."""
        levels = self.ascending
        if not span or not levels:
            return ()
        if len(levels) == 1:
            return (levels[0],) if levels[0] in span else ()
        first, last = span[0], span[-1]
        if first <= last:
            return levels[bisect_left(levels, first) : bisect_right(levels, last)]
        return levels[bisect_left(levels, last) : bisect_right(levels, first)][::-1]
