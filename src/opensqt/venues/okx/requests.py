"""Sends OKX's requests: errors name the row's code, answers are rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ccxt.pro

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import OutcomeUnknown, Unreachable
from opensqt.venues.okx import errors as venue_errors
from opensqt.venues.transport.ccxt_client import CcxtMixin
from opensqt.venues.transport.errors import VenueReply
from opensqt.venues.transport.rest import Rest

Row = dict[str, Any]
_PAGE = 100
_CANDLES_PAGE = 300
_LIMIT_LASTS_S = 2.0


class Client(CcxtMixin, ccxt.pro.okx):  # type: ignore[misc]
    """ccxt's client, whose errors name the row's code, and whose batches are read row by row."""

    text_frames = frozenset({"pong"})

    def seconds(self) -> int:
        """Answer the venue's time, which a login is signed with."""
        return self.nonce() // 1000

    def handle_errors(self, code: int, reason: str, url: str, *rest: Any) -> None:
        """Let a batch's rows speak for themselves; tell how long a rate limit lasts, which the venue does not."""
        response = rest[3]
        if isinstance(response, dict) and "/trade/" in url and "batch-orders" in url and response.get("data"):
            return
        try:
            super().handle_errors(code, reason, url, *rest)
        except ccxt.BaseError as error:
            reply = getattr(error, "reply", None)
            if isinstance(reply, VenueReply) and reply.http_status == 429 and reply.retry_after_s is None:
                error.reply = replace(reply, retry_after_s=_LIMIT_LASTS_S)
            raise

    def code_and_message(self, response: Any) -> tuple[str, str]:
        """Pick the row's code where a row was refused, else the answer's."""
        code, message = super().code_and_message(response)
        rows = response.get("data") if isinstance(response, dict) else None
        if code in ("1", "2") and rows and isinstance(rows[0], dict) and rows[0].get("sCode"):
            code, message = str(rows[0]["sCode"]), str(rows[0].get("sMsg", ""))
        return venue_errors.code_of(code, message), message


def client_for(settings: VenueSettings) -> Client:
    """Make the client for the venue, its demo trading, or a simulator."""
    client = Client(
        {
            "apiKey": settings.api_key.get_secret_value(),
            "secret": settings.secret.get_secret_value(),
            "password": settings.passphrase.get_secret_value(),
            "enableRateLimit": False,
            "timeout": int(settings.request_timeout_s * 1000),
            "options": {"fetchMarkets": {"types": ["swap"]}},
        }
    )
    client.number = str
    if settings.base_url:
        client.timeout_on_exit = 0  # no TLS to wind down
        client.urls["api"]["rest"] = settings.base_url
        client.urls["api"]["ws"] = f"ws{settings.base_url.removeprefix('http')}/ws/v5"
    elif settings.testnet:
        client.set_sandbox_mode(True)
    return client


class Requests:
    """Sends one request at a time and answers its rows.

    Args:
        client: The tapped ccxt client.
        rest: Turns errors into ours.
    """

    def __init__(self, client: Any, rest: Rest) -> None:
        self._client = client
        self._rest = rest

    async def change(self, endpoint: str, params: Row | list[Row], symbol: str = "") -> list[Row]:
        """Send what changes something, once, and answer the rows."""
        method = getattr(self._client, endpoint)
        answer = await self._rest.call(lambda: method(params), changes=True, symbol=symbol)
        rows = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not rows:
            raise OutcomeUnknown("the venue's answer could not be read", symbol=symbol)
        return rows

    async def ask(self, endpoint: str, params: Row | None = None, symbol: str = "") -> list[Any]:
        """Ask a question, and answer the rows."""
        answer = await self._rest.send(endpoint, params, symbol=symbol)
        rows = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise Unreachable("the venue's answer could not be read", symbol=symbol)
        return rows

    async def pages(
        self, endpoint: str, key: str, params: Row, symbol: str = "", *, only_first: bool = False
    ) -> list[Row]:
        """Ask for all pages of a list that is told newest first.

        Args:
            endpoint: The list.
            key: What the next page is asked by: the field of the last row that it must be older than.
            params: Which rows.
            symbol: For the error's own field.
            only_first: Leave it at the newest page.
        """
        query = params | {"limit": str(_PAGE)}
        rows = page = await self.ask(endpoint, query, symbol)
        while len(page) == _PAGE and not only_first:
            page = await self.ask(endpoint, query | {"after": page[-1][key]}, symbol)
            rows = rows + page
        return rows

    async def candles(self, params: Row, limit: int, end_ms: int | None, symbol: str) -> list[list[str]]:
        """Ask for candles, newest first: the recent ones of one endpoint, then the older ones of another.

        Args:
            params: Which candles.
            limit: How many at most.
            end_ms: Opening of the newest one wanted; None is the one that forms now.
            symbol: For the error's own field.
        """
        rows: list[list[str]] = []
        endpoints = ["publicGetMarketHistoryCandles", "publicGetMarketCandles"]
        while endpoints and len(rows) < limit:
            after_ms = int(rows[-1][0]) if rows else None if end_ms is None else end_ms + 1
            asked = min(_CANDLES_PAGE, limit - len(rows))
            query = params | {"limit": str(asked)} | ({} if after_ms is None else {"after": str(after_ms)})
            page = await self.ask(endpoints[-1], query, symbol)
            rows += page
            if len(page) < asked:
                endpoints.pop()
        return rows
