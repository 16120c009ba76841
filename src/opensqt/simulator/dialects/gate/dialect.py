"""Gate's USDT-settled perpetual futures: REST, WebSocket messages, errors, faults."""

from __future__ import annotations

from typing import Any

import orjson

from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, HttpReply, Params, Route, World, message_of
from opensqt.simulator.dialects.gate import errors, frames, socket_trading, unified
from opensqt.simulator.dialects.gate.account import AccountData
from opensqt.simulator.dialects.gate.conditional import ConditionalTrading
from opensqt.simulator.dialects.gate.contracts import Contracts
from opensqt.simulator.dialects.gate.inputs import INPUTS
from opensqt.simulator.dialects.gate.market_streams import MarketStreams
from opensqt.simulator.dialects.gate.private_streams import PrivateStreams
from opensqt.simulator.dialects.gate.public import PublicData
from opensqt.simulator.dialects.gate.security import Security
from opensqt.simulator.dialects.gate.trading import Trading
from opensqt.simulator.engine.events import Event
from opensqt.simulator.engine.order import Refused, VenueClose
from opensqt.simulator.faults import Fault, FaultKind
from opensqt.simulator.settings import VenueRules
from opensqt.simulator.sockets import Socket

_SOCKET_PATHS = ("/v4/ws/usdt", "/v4/ws/futures/usdt")
_CHANNELS = ("price", "kline", "depth", "trades", "ticker", "orders", "account", "positions")
_BAD_ARGUMENT = 2
_NOT_AUTHENTIC = 4


class GateDialect(Dialect):
    """The venue's wire protocol, as documented by the venue."""

    name = "gate"
    closes = frozenset({VenueClose.LIQUIDATION, VenueClose.ADL, VenueClose.INSURANCE, VenueClose.SETTLEMENT})
    symbol_states = ("trading", "in_delisting", "prelaunch", "delisting", "delisted", "circuit_breaker")
    inputs = INPUTS
    account_modes = tuple(unified.MARGIN_MODES)
    venue_rules = VenueRules(duplicate_client_ids="never", least_notional=False, most_conditional=100)

    def __init__(self, world: World) -> None:
        self._contracts = Contracts(world.engine.symbols())
        self._security = Security(world.settings, world.engine.clock, world.keys)
        self._public = PublicData(world, self._contracts)
        self._account = AccountData(world, self._contracts, self._security)
        self._streams = MarketStreams(world, self._contracts, self._public)
        self._private = PrivateStreams(world, self._contracts, self._security)
        super().__init__(world)
        self._sockets = socket_trading.SocketTrading(self, self._security)

    def routes(self) -> list[Route]:
        """Return every REST endpoint that is served."""
        trading = Trading(self, self._contracts, self._security)
        conditional = ConditionalTrading(self.engine, self._contracts, self._security)
        return [*self._public.routes(), *self._account.routes(), *trading.routes(), *conditional.routes()]

    def admit(self, call: Call) -> None:
        """Check limits, key, timestamp and signature."""
        self._security.admit(call)

    def handle(self, call: Call) -> HttpReply:
        """Handle the call; creations return 201."""
        reply = super().handle(call)
        created = call.route.method == "POST" and call.route.operation == "place_order"
        return HttpReply(201, reply.body) if created else reply

    def refuse_input(self, name: str, value: str, reason: str) -> ErrorReply:
        """Return the error of what is not simulated."""
        return errors.not_simulated(f"{name} {value}")

    def translate(self, refused: Refused) -> ErrorReply:
        """Translate a refusal of the engine to Gate's label."""
        return errors.of_reason(refused.reason)

    def fail(self, error: ErrorReply) -> HttpReply:
        """Write `{"label": ..., "message": ...}`, and the time at which the limit resets in place of Retry-After."""
        headers = {}
        if error.retry_after_s is not None:
            reset_ms = self.engine.clock.server_ms() + error.retry_after_s * 1000
            headers["X-Gate-RateLimit-Reset-Timestamp"] = str(-(-reset_ms // 1000))
        return HttpReply(error.status, orjson.dumps({"label": error.code, "message": error.message}), headers)

    def unknown_path(self, method: str, path: str) -> ErrorReply:
        """Return the error of a path that is not served."""
        return ErrorReply(404, "NOT_FOUND", f"{method} {path} not found")

    def usual_error(self, fault: Fault) -> ErrorReply:
        """Return the venue's regular error for a fault of this kind."""
        if fault.kind is FaultKind.TIMEOUT_UNKNOWN:
            return errors.outcome_unknown()
        if fault.kind is FaultKind.RATE_LIMITED:
            return errors.too_many_requests(fault.retry_after_s)
        if fault.kind is FaultKind.BANNED:
            limited = errors.too_many_requests(fault.retry_after_s)
            return ErrorReply(418, limited.code, limited.message, retry_after_s=limited.retry_after_s)
        if fault.kind is FaultKind.REFUSE:
            return ErrorReply(400, fault.code, message_of(fault.code, errors.BY_REASON))
        return errors.unavailable()

    def addresses(self, host: str) -> dict[str, dict[str, str]]:
        """Return the base URLs."""
        return {"rest": {"base": f"http://{host}/api/v4"}, "ws": {"usdt": f"ws://{host}{_SOCKET_PATHS[1]}"}}

    def channels_of(self, path: str, params: Params) -> list[str]:
        """Return all channels: any channel may be subscribed to over the one address."""
        return list(_CHANNELS)

    def connect(self, socket: Socket, path: str, params: Params) -> None:
        """Handle a new connection; it receives nothing until it subscribes."""
        if path.rstrip("/") not in _SOCKET_PATHS:
            raise self.unknown_path("GET", path)
        socket.state.update(sizes=self._contracts.sizes(socket.headers), private=False)

    def receive(self, socket: Socket, text: str) -> None:
        """Handle a subscription, a ping or an order request."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict):
            self._refuse(socket, {}, 1, "invalid argument struct")
            return
        channel, event, payload = message.get("channel"), message.get("event"), message.get("payload", [])
        if channel == "futures.ping":
            socket.reply(frames.envelope("futures.pong", "", self.engine.clock.server_ms(), None))
        elif event == socket_trading.EVENT:
            self._sockets.receive(socket, message, text)
        elif event not in ("subscribe", "unsubscribe") or not isinstance(channel, str):
            self._refuse(socket, message, _BAD_ARGUMENT, f"unknown event {str(event)[:40]}")
        elif not isinstance(payload, list) or not all(isinstance(item, str) for item in payload):
            self._refuse(socket, message, 1, "invalid argument struct: payload")
        else:
            self._subscription(socket, message, channel, payload)

    def publish(self, event: Event) -> None:
        """Publish an event to the channels that it concerns."""
        self._streams.publish(event)
        self._private.publish(event)

    def tick(self, *, everything: bool = False) -> None:
        """Send everything that is due."""
        self._streams.tick(everything=everything)

    def expire_keys(self, copies: int) -> None:
        """Do nothing: subscriptions of private channels are signed, and have no key that expires."""

    def _subscription(self, socket: Socket, message: dict[str, Any], channel: str, payload: list[str]) -> None:
        subscribes = message["event"] == "subscribe"
        if self._streams.serves(channel):
            streams = self._streams.streams(channel, payload)
            if isinstance(streams, str):
                self._refuse(socket, message, _BAD_ARGUMENT, streams)
                return
            for stream in streams:
                (self._streams.subscribe if subscribes else self._streams.unsubscribe)(socket, stream)
        elif self._private.serves(channel):
            key = self._security.subscriber(message)
            if key is None:
                self._refuse(socket, message, _NOT_AUTHENTIC, "authentication fail")
                return
            socket.state["key"] = key
            topics = self._private.topics(channel, payload, self.world.keys[key].account)
            if isinstance(topics, str):
                self._refuse(socket, message, _BAD_ARGUMENT, topics)
                return
            for topic in topics:
                (self._private.subscribe if subscribes else self._private.unsubscribe)(socket, channel, topic)
        else:
            self._refuse(socket, message, _BAD_ARGUMENT, f"unknown channel {channel[:40]}")
            return
        self._acknowledge(socket, message, {"status": "success"}, None)

    def _refuse(self, socket: Socket, message: dict[str, Any], code: int, text: str) -> None:
        self._acknowledge(socket, message, {"status": "fail"}, {"code": code, "message": text})

    def _acknowledge(self, socket: Socket, message: dict[str, Any], result: Any, error: Any) -> None:
        more = {"id": message.get("id"), "payload": message.get("payload"), "error": error}
        channel, event = str(message.get("channel", "")), str(message.get("event", ""))
        socket.reply(frames.envelope(channel, event, self.engine.clock.server_ms(), result, **more))
