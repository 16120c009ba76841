"""Has ccxt read a venue's list of symbols so that a row which it can't read hides no other."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import ccxt

from opensqt.venues.transport.errors import PARSE_ERRORS

Market = dict[str, Any]
Send = Callable[[], Awaitable[Any]]
_TEXTS = ("id", "symbol", "base", "quote")


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where the list of symbols is in the responses of a venue."""

    way: tuple[str, ...]
    """The fields that lead to the rows."""
    name: str
    """The field of a row with the venue's own name of the symbol."""

    def rows(self, response: Any) -> list[Any]:
        """Return the rows of a response; none where it has no list."""
        for step in self.way:
            response = response.get(step) if isinstance(response, dict) else None
        return response if isinstance(response, list) else []

    def with_rows(self, response: Any, rows: list[Any]) -> Any:
        """Return a response with other rows."""
        return _replaced(response, self.way, rows)


@dataclass(frozen=True, slots=True)
class UnreadableSymbol:
    """A row of the list of symbols that could not be read."""

    name: str
    """The venue's own name; empty where the row has none that can be used."""
    reason: str
    raw: Any


@dataclass(slots=True)
class _Responses:
    """The responses that the list came in, and which of their rows ccxt is shown."""

    place: ListPlace
    kept: dict[str, Any] = field(default_factory=dict)
    """By request."""
    shown: tuple[str, int] | None = None
    """The request and the number of the only row to show; None shows all."""

    async def response(self, path: str, params: Any, send: Send) -> Any:
        request = path + json.dumps(params, sort_keys=True, default=str)
        if request not in self.kept:
            self.kept[request] = await send()
        response = self.kept[request]
        if self.shown is None or not (rows := self.place.rows(response)):
            return response
        shown, number = self.shown
        return self.place.with_rows(response, [rows[number]] if request == shown else [])


_responses: ContextVar[_Responses | None] = ContextVar("responses", default=None)


async def kept_response(path: str, params: Any, send: Send) -> Any:
    """Return the response to a request: within `read_symbols` the same request is sent once."""
    responses = _responses.get()
    return await send() if responses is None else await responses.response(path, params, send)


async def read_symbols(
    place: ListPlace, read: Callable[[], Awaitable[list[Market]]]
) -> tuple[list[Market], list[UnreadableSymbol]]:
    """Read the list of symbols; if that fails for what the list says, then row by row.

    Args:
        place: Where the rows are.
        read: ccxt's reading of the whole list. It is repeated for each row, with the responses that came before.
    """
    responses, unreadable = _Responses(place), list[UnreadableSymbol]()
    token = _responses.set(responses)
    try:
        try:
            markets = await read()
        except (*PARSE_ERRORS, ccxt.ExchangeError) as error:
            if _is_of_the_venue(error) or not any(map(place.rows, responses.kept.values())):
                raise
            markets, unreadable = await _read_each(responses, read)
    finally:
        _responses.reset(token)
    named = []
    for market in markets:
        if all(isinstance(market.get(text), str) and market[text] for text in _TEXTS):
            named.append(market)
        else:
            unreadable.append(_unreadable(place, market.get("info"), "expected the names of a symbol and its coins"))
    return named, unreadable


async def _read_each(
    responses: _Responses, read: Callable[[], Awaitable[list[Market]]]
) -> tuple[list[Market], list[UnreadableSymbol]]:
    markets: list[Market] = []
    unreadable: list[UnreadableSymbol] = []
    for request, response in list(responses.kept.items()):
        for number, raw in enumerate(responses.place.rows(response)):
            responses.shown = request, number
            try:
                markets += await read()
            except (*PARSE_ERRORS, ccxt.ExchangeError) as error:
                if _is_of_the_venue(error):
                    raise
                unreadable.append(_unreadable(responses.place, raw, repr(error)))
    return markets, unreadable


def _is_of_the_venue(error: Exception) -> bool:
    """Return whether an error is the venue's own response, or a lost one, and not one of reading it."""
    return isinstance(error, ccxt.NetworkError) or hasattr(error, "reply")


def _unreadable(place: ListPlace, raw: Any, reason: str) -> UnreadableSymbol:
    name = raw.get(place.name) if isinstance(raw, dict) else None
    return UnreadableSymbol(name if isinstance(name, str) else "", reason, raw)


def _replaced(response: Any, way: tuple[str, ...], rows: list[Any]) -> Any:
    return response | {way[0]: _replaced(response[way[0]], way[1:], rows)} if way else rows
