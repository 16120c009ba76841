"""What a venue's requests cost of its limits, and what its answers tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from opensqt.venues.ratelimit.window import Limit


@dataclass(frozen=True, slots=True)
class Request:
    """One request as ccxt names it."""

    method: str
    path: str
    """Without the address, its parameters not filled in, e.g. `{settle}/orders`."""
    params: Any = None
    weight: int = 1
    """What ccxt says that it costs."""

    @property
    def endpoint(self) -> str:
        """What limits by endpoint are named by."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class ReportedUsage:
    """What an answer told of one limit."""

    name: str
    limit: Limit | None = None
    used: int | None = None


class RateLimitPolicy(Protocol):
    """One venue's limits."""

    def limit(self, name: str) -> Limit:
        """Answer a limit as it is until the venue tells otherwise."""

    def cost(self, request: Request) -> Mapping[str, int]:
        """Answer how much of each limit a request uses."""

    def read_usage(self, request: Request, headers: Mapping[str, str], answer: Any) -> Iterable[ReportedUsage]:
        """Read what an answer tells; the names of its headers are in lower case."""


def _once(_request: Request) -> int:
    return 1


def _nothing(_headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    return None, None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPolicy:
    """Limits of each endpoint for itself."""

    limits: Mapping[str, Limit]
    default: Limit
    """Of each endpoint that `limits` does not name."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Endpoints that share a limit, and its name."""
    per_address: str = ""
    """The limit that every request uses, where there is one: the address'."""
    count: Callable[[Request], int] = _once
    """How often a request counts, where the orders of a batch count one by one."""
    read: Callable[[Mapping[str, str]], tuple[int | None, int | None]] = _nothing
    """Reads an answer's headers: the endpoint's limit, and what is left of it."""

    def limit(self, name: str) -> Limit:
        """Answer a limit as it is until the venue tells otherwise."""
        return self.limits.get(name, self.default)

    def cost(self, request: Request) -> Mapping[str, int]:
        """Answer how much of each limit a request uses."""
        cost = {self._name(request): self.count(request)}
        return cost | {self.per_address: 1} if self.per_address else cost

    def read_usage(self, request: Request, headers: Mapping[str, str], answer: Any) -> Iterable[ReportedUsage]:
        """Read what an answer tells."""
        amount, left = self.read(headers)
        name = self._name(request)
        known = self.limit(name)
        limit = Limit(amount, known.window_s, known.shared) if amount else None
        used = None if left is None else max(0, (limit or known).amount - left)
        return (ReportedUsage(name, limit, used),) if limit or used else ()

    def _name(self, request: Request) -> str:
        return self.groups.get(request.endpoint, request.endpoint)


def int_header(headers: Mapping[str, str], name: str) -> int | None:
    """Read a header that is a whole number."""
    text = headers.get(name, "")
    return int(text) if text.isdecimal() else None
