"""The clients that trade on the simulator unmodified, and what none of them can do there yet."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
NODE = FOLDER / "node"
PYTHON = FOLDER / "python"
STEPS = (
    "instruments",
    "connect",
    "reconcile",
    "limit",
    "query",
    "amend",
    "cancel",
    "market",
    "stop",
    "position",
    "balance",
    "private stream",
    "public stream",
    "batch",
    "socket orders",
    "close",
)
OPTIONAL_STEPS = frozenset({"socket orders"})
"""Steps that not every client has: ccxt enters no orders of Bitget over a WebSocket, nautilus_trader none of OKX."""


@dataclass(frozen=True)
class Client:
    """A client and the venue that it trades on."""

    name: str
    """As the report of its script has it."""
    venue: str
    package: str
    """Its npm package, or the requirement of its Python package."""
    script: str
    """The name of its script in node/, or in python/ for one in Python."""
    typed: bool = False
    """Whether its package declares the types of the answers that its script keeps."""
    interpreters: tuple[str, ...] = ()
    """Versions of Python that its package has wheels for, the best one first; empty for a script in JavaScript."""

    @property
    def path(self) -> Path:
        """Where its script is."""
        return (PYTHON if self.interpreters else NODE) / self.script


CLIENTS = (
    Client("binance", "binance", "binance", "binance.mjs", typed=True),
    Client("bybit-api", "bybit", "bybit-api", "bybit.mjs", typed=True),
    Client("okx-api", "okx", "okx-api", "okx.mjs", typed=True),
    Client("bitget-api", "bitget", "bitget-api", "bitget.mjs", typed=True),
    Client("gateio-api", "gate", "gateio-api", "gate.mjs", typed=True),
    *(Client(f"ccxt {venue}", venue, "ccxt", "ccxt.mjs") for venue in ("binance", "bybit", "okx", "bitget", "gate")),
    *(
        Client(
            f"nautilus {version.rpartition('.')[0]} {venue}",
            venue,
            f"nautilus_trader=={version}",
            "nautilus.py",
            interpreters=pythons,
        )
        for version, pythons in (("1.221.0", ("3.11",)), ("1.231.0", ("3.13", "3.12")))
        for venue in ("binance", "bybit", "okx")
    ),
)


@dataclass(frozen=True)
class Missing:
    """A call that fails because the simulator does not serve it, or because of the client itself."""

    client: str
    call: str
    why: str
    """For a person who reads the table in the documentation."""


@dataclass(frozen=True)
class Uncompared:
    """Fields that a package declares and the venue does not send, or not in this answer."""

    client: str
    fields: tuple[str, ...]
    """Their names, at any depth of the answer; "*" leaves out the whole answer."""
    why: str
    call: str = ""
    """Empty: in every answer."""


@dataclass(frozen=True)
class Exceptions:
    """All that `make clients` accepts although it is no success, of one client."""

    missing: tuple[Missing, ...] = ()
    uncompared: tuple[Uncompared, ...] = ()

    def fields(self, call: str) -> list[str]:
        """Return the fields of an answer that are not compared."""
        return sorted({name for one in self.uncompared if one.call in ("", call) for name in one.fields})


def exceptions(client: str, file: Path = FOLDER / "exceptions.toml") -> Exceptions:
    """Read what is accepted of a client."""
    listed = tomllib.loads(file.read_text())
    absent = (Missing(**row) for row in listed.get("missing", []))
    fields = (Uncompared(**{**row, "fields": tuple(row["fields"])}) for row in listed.get("uncompared", []))
    return Exceptions(
        tuple(one for one in absent if one.client == client), tuple(one for one in fields if one.client == client)
    )
