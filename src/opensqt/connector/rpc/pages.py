"""Lists in order of time, page by page: the venue is asked once for a series of pages, again only where it is gone."""

from __future__ import annotations

import asyncio
import secrets
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Generic, Protocol, TypeVar

from opensqt.connector.rpc import page_token


class Timed(Protocol):
    """A row of a list in order of time."""

    @property
    def event_time_ms(self) -> int:
        """The venue's time, UTC epoch milliseconds."""
        ...


Row = TypeVar("Row", bound=Timed)


class Pages(Generic[Row]):
    """Cuts lists into pages.

    Venues return rows newest first, or by windows of time, so that the first page takes as many requests as all of
    them. The rows of a series are therefore kept for its next pages. A token also names the rows that were returned
    last, so that the venue can be asked from there on when they are not kept any more.

    Args:
        row_id: Returns the id of a row.
        keep_s: How long the rows of a series are kept.
        kept_rows: How many are kept for all series together; the oldest series goes first.
    """

    def __init__(self, row_id: Callable[[Row], str], *, keep_s: float, kept_rows: int) -> None:
        self._row_id = row_id
        self._keep_s = keep_s
        self._most = kept_rows
        self._series: dict[page_token.Asked, Sequence[Row]] = {}

    @property
    def kept(self) -> int:
        """How many rows are kept for pages to come."""
        return sum(map(len, self._series.values()))

    async def page(
        self,
        asked: page_token.Asked,
        since_ms: int,
        size: int,
        token: str,
        query: Callable[[int], Awaitable[Sequence[Row]]],
    ) -> tuple[Sequence[Row], str]:
        """Return one page, or all rows where no page size is given, and the token of the next page.

        Args:
            asked: The list and what the request says of it.
            since_ms: The earliest time.
            size: Rows of a page at most; 0 for no pages.
            token: Of the page before.
            query: Asks the venue for the rows since a time.

        Raises:
            InvalidRequest: The page size or the token can't be used.
        """
        page_token.check(size, token)
        series, returned = "", frozenset[str]()
        if token:
            (since_ms,), names = page_token.read(token, asked, numbers=1)
            series, returned = "".join(names[:1]), frozenset(names[1:])
        rows = self._series.get((*asked, series))
        if rows is None:
            series, rows = "", sorted(await query(since_ms), key=_time_ms)
        rows = self._behind(rows, since_ms, returned)
        if not size or len(rows) <= size:
            return rows, ""
        page = rows[:size]
        at_ms = page[-1].event_time_ms
        last = (self._row_id(one) for one in page if one.event_time_ms == at_ms)
        ids = [*(returned if at_ms == since_ms else ()), *last]
        return page, page_token.write(asked, (at_ms,), (series or self._keep(asked, rows), *ids))

    def _keep(self, asked: page_token.Asked, rows: Sequence[Row]) -> str:
        """Keep the rows of a new series and return its name; empty where they are more than may be kept."""
        if len(rows) > self._most:
            return ""
        while self.kept + len(rows) > self._most:
            del self._series[next(iter(self._series))]
        name = secrets.token_hex(8)
        self._series[*asked, name] = rows
        asyncio.get_running_loop().call_later(self._keep_s, self._series.pop, (*asked, name), None)
        return name

    def _behind(self, rows: Sequence[Row], at_ms: int, returned: Collection[str]) -> Sequence[Row]:
        """Return the rows that come after those of *at_ms* whose ids are given.

        By id, not by place: a venue may list the rows of one millisecond in another order when it is asked again.
        """
        first = bisect_left(rows, at_ms, key=_time_ms)
        behind = bisect_left(rows, at_ms + 1, lo=first, key=_time_ms)
        return [*(one for one in rows[first:behind] if self._row_id(one) not in returned), *rows[behind:]]


def _time_ms(row: Timed) -> int:
    return row.event_time_ms
