"""Base of the five dialects: routes, calls, errors, and the interface to the server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from opensqt.simulator.dialects.inputs import Input, Inputs, VenueInputs, body_fields, sent
from opensqt.simulator.engine.engine import SimEngine
from opensqt.simulator.engine.events import Event, OrderChanged
from opensqt.simulator.engine.order import RefusalReason, Refused, VenueClose
from opensqt.simulator.faults import Fault, FaultKind, FaultScript
from opensqt.simulator.keys import Keyring
from opensqt.simulator.market.market import Market
from opensqt.simulator.settings import SimulatorSettings, VenueRules
from opensqt.simulator.sockets import Socket, Subscriptions

if TYPE_CHECKING:
    from opensqt.simulator.socket_requests import SocketRequests

Params = dict[str, str]


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An HTTP response."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class ErrorReply(Exception):
    """An error response of the venue.

    Attributes:
        status: HTTP status.
        code: The venue's code, as text.
        message: The venue's text.
        retry_after_s: Sent as Retry-After where it is not None.
    """

    def __init__(self, status: int, code: str, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Route:
    """One REST endpoint of a venue.

    Attributes:
        path: Its path; a part in braces, such as `{order_id}`, matches any text and becomes a parameter.
        operation: Its name in a fault script.
        handler: Handles the call and returns the content of the JSON body.
        weight: Its cost in the request limit.
        security: `none`, `key` or `signed`.
        cost: Computes the weight where it depends on the parameters.
    """

    method: str
    path: str
    operation: str
    handler: Callable[[Call], Any]
    weight: int = 1
    security: str = "signed"
    cost: Callable[[Params], int] | None = None

    def arguments(self, path: str) -> Params | None:
        """Return the parameters in a path, or None when the path is not this endpoint's."""
        wanted, given = self.path.split("/"), path.split("/")
        if len(wanted) != len(given):
            return None
        found = {}
        for want, part in zip(wanted, given, strict=True):
            if want.startswith("{"):
                found[want.strip("{}")] = part
            elif want != part:
                return None
        return found


@dataclass(slots=True)
class Call:
    """One REST request as the server handles it."""

    route: Route
    params: Params
    query: str
    """As sent, without the question mark."""
    body: str
    headers: Mapping[str, str]
    address: str
    path: str = ""
    """As sent."""
    account: str = ""
    """The account, by its first key, once the dialect admitted the call."""
    key: str = ""
    """The key that it is signed with, once the dialect admitted the call."""
    ignored: bool = False
    """A fault demands a reply as if it was executed, without executing it."""
    reply_headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class World:
    """The parts of the simulator that a dialect uses."""

    settings: SimulatorSettings
    engine: SimEngine
    market: Market
    subscriptions: Subscriptions
    script: FaultScript
    monotonic_ms: Callable[[], int]
    keys: Keyring
    requests: SocketRequests


class Dialect(ABC):
    """One venue's wire protocol over the engine. Every method runs in the event loop's thread and never waits."""

    name: str
    venue_rules: ClassVar[VenueRules] = VenueRules()
    """Rules of this venue's engine, unless the settings give others."""
    symbol_states: ClassVar[tuple[str, ...]]
    """The venue's terms for the state of a symbol; it trades in the first of them."""
    closes: ClassVar[frozenset[VenueClose]]
    """The reasons for which this venue closes a position itself."""
    account_modes: ClassVar[tuple[str, ...]]
    """The modes of an account; an account is in the first of them unless its settings name another."""
    inputs: ClassVar[VenueInputs]
    """What its endpoints take, and what the venue has besides."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.engine = world.engine
        self.subscriptions = world.subscriptions
        self.settings = world.settings
        self._routes = {(route.method, route.path): route for route in self.routes()}
        self._open_routes = [route for route in self._routes.values() if "{" in route.path]
        self._accepted_ms: dict[str, int] = {}
        undeclared = [route for route in self._routes if " ".join(route) not in self.inputs.endpoints]
        if undeclared:
            raise LookupError(f"{self.name}: expected a declaration of the parameters of {undeclared}")
        self._fields = {
            endpoint: _by_name((*takes.fields, *self.inputs.shared))
            for endpoint, takes in self.inputs.endpoints.items()
        }
        self._items = {endpoint: _by_name(takes.items) for endpoint, takes in self.inputs.endpoints.items()}
        self.ignored_inputs: Counter[str] = Counter()
        """Parameters that clients sent and that the venue ignores, as `METHOD path: name`, with how often."""
        world.keys.on_revoked = self._end_of

    @abstractmethod
    def routes(self) -> list[Route]:
        """Return every REST endpoint that is served."""

    @abstractmethod
    def admit(self, call: Call) -> None:
        """Check rate limits, then key, signature and timestamp; set `call.account`.

        Raises:
            ErrorReply: The venue refuses the call.
        """

    @abstractmethod
    def translate(self, refused: Refused) -> ErrorReply:
        """Translate a refusal of the engine to the venue's error."""

    @abstractmethod
    def fail(self, error: ErrorReply) -> HttpReply:
        """Write an error response in the venue's format."""

    @abstractmethod
    def unknown_path(self, method: str, path: str) -> ErrorReply:
        """Return the error of a path that is not served."""

    @abstractmethod
    def usual_error(self, fault: Fault) -> ErrorReply:
        """Return the venue's regular error for a fault of this kind."""

    @abstractmethod
    def refuse_input(self, name: str, value: str, reason: str) -> ErrorReply:
        """Return the venue's error for a parameter, or a value of it, that is not simulated."""

    def refuse_unknown(self, names: list[str], sent: int) -> ErrorReply | None:
        """Return the venue's error for parameters that it does not know, of all *sent* ones; None: it ignores them."""
        return None

    @abstractmethod
    def addresses(self, host: str) -> dict[str, dict[str, str]]:
        """Return the base URLs for a client of this venue: `{"rest": {...}, "ws": {...}}`."""

    @abstractmethod
    def connect(self, socket: Socket, path: str, params: Params) -> None:
        """Handle a new WebSocket connection.

        Raises:
            ErrorReply: The venue serves nothing there; the connection is refused with its status.
        """

    @abstractmethod
    def channels_of(self, path: str, params: Params) -> list[str]:
        """Guess the fine channels that a new connection will carry, for faults that refuse connections."""

    @abstractmethod
    def receive(self, socket: Socket, text: str) -> None:
        """Handle a message of a client."""

    def disconnected(self, socket: Socket) -> None:  # noqa: B027 - most venues need not know
        """Handle the end of a connection; its subscriptions are still known."""

    @abstractmethod
    def publish(self, event: Event) -> None:
        """Publish an event of the engine to its subscribers."""

    @abstractmethod
    def tick(self, *, everything: bool = False) -> None:
        """Send everything that is due by now (or *everything* that is pending), and end what has expired."""

    @abstractmethod
    def expire_keys(self, copies: int) -> None:
        """Expire every key of a private stream now and publish that, *copies* times."""

    def route(self, method: str, path: str) -> Route | None:
        """Return the endpoint of a request, None if there is none."""
        found = self._routes.get((method, path))
        if found is not None:
            return found
        return next((each for each in self._open_routes if each.method == method and each.arguments(path)), None)

    def fault_error(self, fault: Fault) -> ErrorReply:
        """Return the error of a fault; fields that the fault leaves open are the venue's regular ones."""
        usual = self.usual_error(fault)
        return ErrorReply(
            fault.status or usual.status,
            fault.code or usual.code,
            fault.message or usual.message,
            retry_after_s=usual.retry_after_s,
        )

    def check(self, call: Call) -> None:
        """Refuse a call with a parameter that is not simulated, or that the venue does not take.

        Raises:
            ErrorReply: The venue's error.
        """
        endpoint = f"{call.route.method} {call.route.path}"
        given = {**call.params, **body_fields(call.body)}
        for name in (call.route.arguments(call.path) or {}) if "{" in call.route.path else ():
            given.pop(name, None)
        given.pop(self.inputs.endpoints[endpoint].items_name, None)
        self._check(endpoint, self._fields[endpoint], given)

    def check_item(self, call: Call, fields: Mapping[str, Any]) -> None:
        """Refuse an item of a batch with a parameter that is not simulated, or that the venue does not take.

        Raises:
            ErrorReply: The venue's error.
        """
        endpoint = f"{call.route.method} {call.route.path}"
        self._check(endpoint, self._items[endpoint], fields)

    def _check(self, endpoint: str, known: Mapping[str, Input], given: Mapping[str, Any]) -> None:
        found = list(sent(given))
        unknown = [name for name, _ in found if _declared(known, name) is None]
        if unknown:
            refused = self.refuse_unknown(unknown, len(found))
            if refused is not None:
                raise refused
            self.ignored_inputs.update(f"{endpoint}: {name}" for name in unknown)
        for name, value in found:
            field = _declared(known, name)
            if field is not None and field.refuses(value):
                raise self.refuse_input(name, value, field.reason)

    def operation(self, call: Call) -> str:
        """Return the name of this request in a fault script, where one endpoint serves several operations."""
        return call.route.operation

    def handle(self, call: Call) -> HttpReply:
        """Handle a call and return its response.

        Raises:
            ErrorReply: The venue refuses.
        """
        try:
            return HttpReply(200, orjson.dumps(call.route.handler(call)))
        except Refused as refused:
            raise self.translate(refused) from refused

    def content(self, call: Call) -> Any:
        """Check and handle a call, and return what its answer contains, without the envelope of REST.

        Raises:
            ErrorReply: The venue refuses.
        """
        self.check(call)
        try:
            return call.route.handler(call)
        except Refused as refused:
            raise self.translate(refused) from refused

    def observe(self, event: Event) -> None:
        """Handle an event of the engine: record when orders were accepted, while a fault hides them, then publish."""
        if isinstance(event, OrderChanged) or self._accepted_ms:
            if not self.world.script.hidden_ms():
                self._accepted_ms.clear()
            elif isinstance(event, OrderChanged):
                self._accepted_ms.setdefault(event.order.order_id, self.world.monotonic_ms())
        self.publish(event)

    def _end_of(self, key: str) -> None:
        """Cut the connections that are signed in with a key, as their `state["key"]` says."""
        for socket in [socket for socket in self.subscriptions.sockets if socket.state.get("key") == key]:
            socket.cut()

    def is_hidden(self, order_id: str) -> bool:
        """Return whether a fault hides this order from queries now."""
        accepted = self._accepted_ms.get(order_id)
        return accepted is not None and self.world.monotonic_ms() < accepted + self.world.script.hidden_ms()


def _declared(known: Mapping[str, Input], name: str) -> Input | None:
    """Return the declaration of a parameter: its own, or that of the object that it is a field of."""
    return known.get(name) or known.get(name.partition(".")[0])


def _by_name(fields: Inputs) -> dict[str, Input]:
    return {field.name: field for field in fields}


def message_of(code: str, by_reason: Mapping[RefusalReason, tuple[str, str]]) -> str:
    """Return the venue's text for a code, if its table of the engine's refusals contains the code."""
    return next((message for known, message in by_reason.values() if known == code), "Refused by the fault script.")


ERROR_WITHOUT_EXECUTION = frozenset(
    {
        FaultKind.ERROR_BEFORE,
        FaultKind.RATE_LIMITED,
        FaultKind.BANNED,
        FaultKind.REFUSE,
    }
)
ERROR_AFTER_EXECUTION = frozenset({FaultKind.ERROR_AFTER, FaultKind.TIMEOUT_UNKNOWN})
