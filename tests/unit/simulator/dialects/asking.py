"""Calls of a dialect without a server, which record what each handler reads of the parameters that it is sent."""

from __future__ import annotations

import importlib
import types
from collections import defaultdict
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from opensqt.simulator import AccountSettings, SimulatorSettings
from opensqt.simulator.dialects import DIALECTS
from opensqt.simulator.dialects.base import Call, Dialect, ErrorReply, World
from opensqt.simulator.dialects.inputs import sent
from opensqt.simulator.faults import FaultScript
from opensqt.simulator.keys import Keyring
from opensqt.simulator.market.market import open_market
from opensqt.simulator.socket_requests import SocketRequests
from opensqt.simulator.sockets import Subscriptions
from opensqt.simulator.statistics import Statistics


class Recorded(dict[str, Any]):
    """Parameters that record which of them are read; a copy in any other way than by `|` records nothing."""

    def __init__(self, fields: dict[str, Any], read: set[str], within: str = "") -> None:
        super().__init__({name: recorded(value, read, f"{within}{name}.") for name, value in fields.items()})
        self.read, self.within = read, within

    def __getitem__(self, name: str) -> Any:
        self._note(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._note(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        self._note(name)
        return super().pop(name, *default)

    def __or__(self, other: Any) -> Any:
        return Recorded(super().__or__(other), self.read, self.within)

    def __ror__(self, other: Any) -> Any:
        return Recorded(super().__ror__(other), self.read, self.within)

    def _note(self, name: str) -> None:
        if super().get(name) not in (None, ""):
            self.read.add(f"{self.within}{name}")


def recorded(value: Any, read: set[str], within: str = "") -> Any:
    """Return JSON values whose objects record what is read of them; a list has the name of its parameter."""
    if isinstance(value, list):
        return [recorded(item, read, within) for item in value]
    return Recorded(value, read, within) if isinstance(value, dict) else value


class Asker:
    """A dialect of a venue on a manual clock, which is asked in process.

    Attributes:
        read: What the handlers read, by endpoint.
        sent: What was sent, by endpoint.
    """

    def __init__(self, exchange: str, patch: pytest.MonkeyPatch, **settings: Any) -> None:
        account = AccountSettings(account_mode=settings.pop("account_mode", DIALECTS[exchange].account_modes[0]))
        self.settings = SimulatorSettings(
            exchange=exchange,
            seed=7,
            past_minutes=60,
            clock="manual",
            rules=DIALECTS[exchange].venue_rules,
            accounts=(account,),
            **settings,
        )
        market = open_market(self.settings)
        keys = Keyring(self.settings.accounts)
        script = FaultScript(lambda: 0, seed=7)
        requests = SocketRequests(script, Statistics())
        world = World(self.settings, market.engine, market, Subscriptions(), script, lambda: 0, keys, requests)
        self.engine, self.market = market.engine, market
        self.dialect: Dialect = DIALECTS[exchange](world)
        market.engine.subscribe(self.dialect.observe)
        self.read: dict[str, set[str]] = defaultdict(set)
        self.sent: dict[str, set[str]] = defaultdict(set)
        self._reading: set[str] = set()
        self._record_bodies(exchange, patch)

    def ask(self, endpoint: str, body: Any = None, *, headers: dict[str, str] | None = None, **params: Any) -> Any:
        """Make a call of the account, and return the content of its reply.

        Args:
            endpoint: Method and path, as in `Route`; `{name}` in it is taken from *params*.
            body: An object or a list that is sent as JSON.
            headers: Sent besides those of a signature.
            params: Sent in the query.

        Raises:
            ErrorReply: The dialect refuses it.
        """
        method, path = endpoint.split()
        filled = path.format(**params) if "{" in path else path
        given = {name: str(value) for name, value in params.items() if f"{{{name}}}" not in path}
        route = self.dialect.route(method, filled)
        assert route is not None, endpoint
        self._reading = reading = set[str]()
        call = Call(
            route=route,
            params=Recorded({**given, **(route.arguments(filled) or {})}, reading),
            query=urlencode(given),
            body="" if body is None else orjson.dumps(body).decode(),
            headers=headers or {},
            address="",
            path=filled,
        )
        with suppress(ErrorReply):
            self.dialect.admit(call)
        call.account = call.key = "sim-key"
        self.sent[endpoint].update(name for name, _ in sent({**given, **(body if isinstance(body, dict) else {})}))
        self.dialect.check(call)
        reply = self.dialect.handle(call)
        self.read[endpoint] |= reading
        return orjson.loads(reply.body)

    def refused(self, code: str, endpoint: str, body: Any = None, **params: Any) -> None:
        """Make a call that the venue refuses with *code*, by what its handler reads."""
        with pytest.raises(ErrorReply, match=f"^{code}"):
            self.ask(endpoint, body, **params)
        self.read[endpoint] |= self._reading

    def unread(self) -> dict[str, list[str]]:
        """Return the parameters that are declared as done and that no handler read, or that no call sent."""
        missing = {}
        for endpoint, takes in self.dialect.inputs.endpoints.items():
            names = {field.name for field in takes.fields if field.handling.value == "done"}
            lacking = sorted(names - (self.read[endpoint] & self.sent[endpoint]))
            if lacking:
                missing[endpoint] = lacking
        return missing

    def _record_bodies(self, exchange: str, patch: pytest.MonkeyPatch) -> None:
        """Let the dialect's reading of JSON bodies give objects that record."""
        module: Any = importlib.import_module(f"opensqt.simulator.dialects.{exchange}.parameters")
        proxy = types.SimpleNamespace(
            loads=lambda text: recorded(orjson.loads(text), self._reading), JSONDecodeError=orjson.JSONDecodeError
        )
        patch.setattr(module, "orjson", proxy)
        if (flat := getattr(module, "flat", None)) is not None:
            patch.setattr(
                module,
                "flat",
                lambda fields: (
                    Recorded(flat(fields), fields.read, fields.within) if isinstance(fields, Recorded) else flat(fields)
                ),
            )
