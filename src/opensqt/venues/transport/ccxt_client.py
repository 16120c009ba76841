"""Mixin for clients of ccxt.pro: intercepts raw frames, limits requests, and keeps the response of each error."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from inspect import ismethod
from typing import Any, ClassVar, TypeVar

import aiohttp
import ccxt
import msgspec
import orjson

from opensqt.config.venue import VenueSettings
from opensqt.model.clock import now_ms
from opensqt.telemetry import tracing
from opensqt.telemetry.logging import get_logger, redact
from opensqt.venues.metrics import VenueMetrics
from opensqt.venues.ratelimit.limiter import RateLimiter, current_lane
from opensqt.venues.ratelimit.policy import Request
from opensqt.venues.transport.errors import VenueReply
from opensqt.venues.transport.in_thread import in_thread, run_in_thread, send_from_first_loop
from opensqt.venues.transport.message_pace import MessagePace
from opensqt.venues.transport.symbol_list import ListPlace, UnreadableSymbol, kept_response, read_symbols

_log = get_logger("venue")
_request: ContextVar[Request | None] = ContextVar("request", default=None)
"""The request of the response that is being read."""
_requests_loop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("requests_loop", default=None)
"""The event loop that sends the requests, in a thread that has another one."""
_socket_callback: ContextVar[Callable[[Any], None] | None] = ContextVar("socket_callback", default=None)
T = TypeVar("T")


@dataclass(slots=True)
class Callbacks:
    """The callbacks of a client."""

    frame: Callable[[Any, Any], bool]
    """Receives (socket, decoded frame); returns whether the frame was consumed."""
    connected: Callable[[Any], None]
    """Receives the socket of each new connection."""
    malformed: Callable[[Any, str], None]
    """Receives (socket, text) of a frame that is not valid JSON, or that ccxt could not handle."""


class CcxtMixin:
    """Mixin that is placed before a class of ccxt.pro.

    The frames that `callbacks.frame` consumes never reach ccxt. So the futures that its `watch_...` methods await
    settle only when the connection fails. To keep a subscription and to see it end, await one of them.
    """

    symbol_list: ClassVar[ListPlace]
    """Where the venue lists its symbols."""
    unreadable_symbols: tuple[UnreadableSymbol, ...] = ()
    """The rows of that list that ccxt could not read when it was loaded last."""
    callbacks: Callbacks | None = None
    rate_limiter: RateLimiter | None = None
    """Limits each request; None sends without a limit."""
    venue_metrics: VenueMetrics
    """Counts the requests; set it together with the rate limiter."""
    clock_offset_ms: int = 0
    text_frames: frozenset[str] = frozenset()
    """Frames that are not JSON, such as the response to a text ping. They are passed to ccxt unchanged."""
    long_lists: frozenset[str] = frozenset()
    """Paths of responses that may list thousands of rows at once. Their rows stay JSON, to be decoded one by one."""
    clients: dict[str, Any]
    """ccxt's sockets by address."""
    session: aiohttp.ClientSession | None
    """ccxt's session of the requests, with these two."""
    tcp_connector: aiohttp.TCPConnector
    aiohttp_trust_env: bool
    _named_constants: ClassVar[list[str] | None] = None
    """The names of the class's attributes that are not bound to a client, once one of this very class was made."""
    _constructed = False

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)  # type: ignore[call-arg]
        self._constructed = True
        kind = type(self)
        if "_named_constants" not in vars(kind):
            kind._named_constants = [name for name in dir(kind) if not ismethod(getattr(self, name))]

    def __dir__(self) -> Iterable[str]:
        """Return the names of the client.

        In its constructor ccxt looks through them to write each method on the class again, with a name in camel case.
        That is done once for a class. It takes most of the time that a client takes to be made, and slows every method
        of the class for a while.
        """
        known = vars(type(self)).get("_named_constants")
        return super().__dir__() if self._constructed or known is None else {*known, *vars(self)}

    def nonce(self) -> int:
        """Return the venue's time by the last measurement; ccxt calls this for each signature."""
        return now_ms() + self.clock_offset_ms

    def seconds(self) -> int:
        """Return the venue's time in seconds, with which some venues sign logins and subscriptions."""
        return int(self.nonce()) // 1000

    def ws_dial_delay(self, url: str) -> int:
        """Connect at once: the subscription has a back-off of its own."""
        return 0

    def client(self, url: str) -> Any:
        """Return the socket for *url*: never a closed one, and one that survives a frame that is not JSON."""
        known = self.clients.get(url) if self.clients else None
        if known is not None and (known.error or (known.connection is not None and known.connection.closed)):
            self.on_close(known)
        socket = super().client(url)  # type: ignore[misc]
        if "handle_text_or_binary_message" not in vars(socket):
            socket.handle_text_or_binary_message = partial(self._decode, socket)
            socket.send = MessagePace(socket.send).send
        if (callback := _socket_callback.get()) is not None:
            callback(socket)
        return socket

    def on_error(self, client: Any, error: Any) -> None:
        """Forget a failed socket, but not the one that has replaced it."""
        url = client.url
        if url in self.clients and self.clients[url] is client:
            del self.clients[url]

    def open(self, lazy: bool = False) -> None:
        """Open the session of the requests: one that sends no amendment again by itself.

        A client that was closed stays closed: ccxt's sockets open it again, and nobody would close that session.
        """
        made = self.session is None
        super().open(True)  # type: ignore[misc]
        if made and self.session is not None:
            plain = self.session
            self.session = aiohttp.ClientSession(
                connector=self.tcp_connector, trust_env=self.aiohttp_trust_env, middlewares=(send_once,)
            )
            plain.detach()

    def on_close(self, client: Any, error: Any = None) -> None:
        """Forget a closed socket, but not the one that has replaced it."""
        self.on_error(client, error)

    def on_connected(self, client: Any, message: Any = None) -> None:
        """Report a new connection."""
        super().on_connected(client, message)  # type: ignore[misc]
        if self.callbacks is not None:
            self.callbacks.connected(client)

    def handle_message(self, client: Any, message: Any) -> None:
        """Pass a frame to our own parser first, and to ccxt when it carries no market or account data."""
        if self.callbacks is not None and self.callbacks.frame(client, message):
            return
        super().handle_message(client, message)  # type: ignore[misc]

    def _decode(self, socket: Any, data: Any) -> None:
        if data in self.text_frames:
            super().handle_message(socket, data)  # type: ignore[misc]
            return
        try:
            message = orjson.loads(data)
        except orjson.JSONDecodeError:
            # In ccxt this would end the receive loop without an error.
            if self.callbacks is not None:
                self.callbacks.malformed(socket, str(data)[:200])
            return
        try:
            self.handle_message(socket, message)
        except Exception as error:  # noqa: BLE001 - an error here would end ccxt's receive loop unseen
            _log.error("frame could not be handled", error=redact(repr(error)), frame=redact(str(message)[:200]))
            if self.callbacks is not None:
                self.callbacks.malformed(socket, str(message)[:200])

    async def hold(self, url: str, name: str, message: dict[str, Any], number: int | None = None) -> None:
        """Subscribe, and return only when the connection ends, by raising.

        Args:
            url: Address of the connection.
            name: Name of the subscription, unique on it.
            message: Subscribes.
            number: Id of the message, for a venue whose acknowledgements ccxt looks up by it.
        """
        subscription = {"id": number} if number is not None else None
        await self.watch(url, name, message, name, subscription)  # type: ignore[attr-defined]

    async def release(self, url: str, name: str, message: dict[str, Any]) -> None:
        """Unsubscribe what `hold` subscribed, if the connection is open."""
        socket: Any = self.clients.get(url) if self.clients else None
        if not is_open(socket):
            return
        socket.subscriptions.pop(name, None)
        socket.futures.pop(name, None)
        await socket.send(message)

    async def send_to(self, url: str, *messages: dict[str, Any]) -> None:
        """Send messages over a connection, if it is open."""
        socket: Any = self.clients.get(url) if self.clients else None
        for message in messages if is_open(socket) else ():
            await socket.send(message)

    def abort_connection(self, socket: Any) -> None:
        """Abort a connection, so that every subscription on it ends with an error."""
        socket.on_error(ccxt.NetworkError("connection aborted"))

    async def close_connection(self, socket: Any) -> None:
        """Close a connection that is no longer used."""
        self.on_close(socket)
        await socket.close()

    async def load_markets_in_thread(self, read: Callable[[dict[str, Any]], T]) -> T:
        """Load the markets and read them in a thread: hundreds of them would hold the event loop for 0.1 s and more.

        Args:
            read: Receives ccxt's markets by unified symbol, in the thread.
        """

        async def load() -> T:
            return read(await self.load_markets_helper(True))  # type: ignore[attr-defined]

        return await run_in_thread(load)

    async def fetch_markets(self, params: Any = None) -> list[dict[str, Any]]:
        """Read the list of symbols; a row that can't be read is kept apart, and hides no other."""
        read = super().fetch_markets  # type: ignore[misc]
        markets, unreadable = await read_symbols(self.symbol_list, lambda: read({} if params is None else params))
        self.unreadable_symbols = tuple(unreadable)
        return markets

    async def fetch2(
        self, path: str, api: Any = "public", method: str = "GET", params: Any = None, config: Any = None
    ) -> Any:
        """Send a request once the rate limiter permits it. It is signed at that time, not before."""
        if in_thread():

            async def send() -> Any:
                return await send_from_first_loop(lambda: self.fetch2(path, api, method, params, config))

            return await kept_response(path, params, send)
        params, config = params if params is not None else {}, config or {}
        if self.rate_limiter is None:
            return await super().fetch2(path, api, method, params, config)  # type: ignore[misc]
        request = Request(method, path, params, self._weight(api, method, path, params, config))
        name, queued_s = current_lane().name.lower(), time.monotonic()
        async with AsyncExitStack() as stack:
            with tracing.step("rate budget"):
                await stack.enter_async_context(self.rate_limiter.acquire(request))
            _request.set(request)
            sent_s = time.monotonic()
            self.venue_metrics.queue_seconds[name].observe(sent_s - queued_s)
            try:
                with tracing.step(request.endpoint, {"http.request.method": method}, kind=tracing.SpanRole.CLIENT):
                    return await super().fetch2(path, api, method, params, config)  # type: ignore[misc]
            finally:
                took_s = time.monotonic() - sent_s
                self.venue_metrics.requests[name].observe(took_s)
                _log.debug("venue request", endpoint=request.endpoint, lane=name, ms=round(took_s * 1000, 2))

    def on_json_response(self, response_body: str) -> Any:
        """Decode a response. The rows of a long list stay parts of its text: as objects they take five times that."""
        request = _request.get()
        if request is None or request.path not in self.long_lists:
            return super().on_json_response(response_body)  # type: ignore[misc]
        # An error is an object.
        return msgspec.json.decode(response_body, type=list[msgspec.Raw] | dict[str, Any])

    def _weight(self, api: Any, method: str, path: str, params: Any, config: Any) -> int:
        if isinstance(params, dict) and str(params.get("limit", "")).isdecimal():
            # ccxt compares it with numbers.
            params = params | {"limit": int(params["limit"])}
        weight: float = self.calculate_rate_limiter_cost(api, method, path, params, config)  # type: ignore[attr-defined]
        return round(weight)

    def handle_errors(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: dict[str, str],
        body: str,
        response: Any,
        request_headers: Any,
        request_body: Any,
    ) -> None:
        """Let ccxt raise, and store the response on its error, without the address and its signature."""
        if self.rate_limiter is not None and (request := _request.get()) is not None:
            self.rate_limiter.observe(request, headers, response)
        tracing.set_attributes({"http.response.status_code": code})
        try:
            super().handle_errors(  # type: ignore[misc]
                code, reason, url, method, headers, body, response, request_headers, request_body
            )
            self.handle_http_status_code(code, reason, url, method, body)  # type: ignore[attr-defined]
        except ccxt.BaseError as error:
            code_text, message = self.code_and_message(response)
            error.reply = VenueReply(
                error=type(error),
                http_status=code,
                code=code_text,
                message=message or reason or "",
                retry_after_s=self.retry_after_s(headers),
            )
            tracing.set_attributes({"opensqt.venue_code": code_text})
            raise

    def retry_after_s(self, headers: dict[str, str]) -> float | None:
        """Return the seconds that the venue requests to wait, or None."""
        return _seconds(headers)

    def code_and_message(self, response: Any) -> tuple[str, str]:
        """Return the venue's own code and text of a response."""
        if isinstance(response, list) and len(response) == 1:
            response = response[0]
        if not isinstance(response, dict):
            return "", ""
        return str(response.get("code", "")), str(response.get("msg", ""))


@cache
def _tls_context(cafile: str) -> ssl.SSLContext:
    """Return the context of all clients of this process: to load the authorities takes 40 ms."""
    return ssl.create_default_context(cafile=cafile)


def new_client(client_type: Callable[[dict[str, Any]], T], settings: VenueSettings, options: dict[str, Any]) -> T:
    """Return a client of ccxt for an account: without ccxt's rate limiter, and with numbers as text.

    Args:
        client_type: A subclass of `CcxtMixin` and of a ccxt.pro class.
        settings: The account.
        options: The `options` of ccxt for this venue.
    """
    client: Any = client_type(
        {
            "apiKey": settings.api_key.get_secret_value(),
            "secret": settings.secret.get_secret_value(),
            "password": settings.passphrase.get_secret_value(),
            "enableRateLimit": False,
            "timeout": int(settings.request_timeout_s * 1000),
            "options": options,
        }
    )
    client.number = str
    # ccxt renames coins of which other venues have another one of that name (GTC to GAMECOM). Symbols are the venue's.
    client.commonCurrencies = {}
    # Nothing reads it, and it may have thousands of rows.
    client.enableLastHttpResponse = False
    client.ssl_context = _tls_context(client.cafile)
    if settings.base_url:
        client.timeout_on_exit = 0  # no TLS to wind down
    made: T = client
    return made


async def send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a PUT once. When the connection breaks, aiohttp repeats one, as HTTP allows: it may have been executed.

    A repeated cancel (DELETE) does no harm, and a repeated query neither. A POST is not repeated.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method != "PUT":
            raise
        # Of a class that aiohttp does not repeat for.
        raise aiohttp.ClientConnectionError(str(error)) from error


def report_socket_to(callback: Callable[[Any], None]) -> None:
    """Call *callback* with the socket of each subscription that the current task makes from now on."""
    _socket_callback.set(callback)


def is_open(socket: Any) -> bool:
    """Return whether a socket of ccxt is connected."""
    connection = socket.connection if socket is not None and not socket.error else None
    return connection is not None and not connection.closed


def reply_of(error: Exception) -> VenueReply:
    """Return the venue's response to a request that ended with *error*, as far as it is known."""
    stored = getattr(error, "reply", None)
    if isinstance(stored, VenueReply):
        return stored
    kind = type(error) if isinstance(error, ccxt.BaseError) else ccxt.NetworkError
    cause = error.__cause__ or error
    # Only these two happen before any byte of the request can have been sent.
    unsent = isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    local = isinstance(error, ccxt.ArgumentsRequired | ccxt.NotSupported | ccxt.BadSymbol | ccxt.InvalidOrder)
    return VenueReply(error=kind, message=str(error) if local else "", sent=not unsent)


def _seconds(headers: dict[str, str]) -> float | None:
    for name, value in headers.items():
        if name.lower() == "retry-after":
            try:
                return float(value)
            except ValueError:
                return None
    return None


async def cancel_and_wait(task: asyncio.Future[Any]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
