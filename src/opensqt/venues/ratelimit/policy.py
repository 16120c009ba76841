"""Rate-limit policies: what each request costs of a venue's limits, and how responses report usage."""

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
    """Path without the address and with its parameters not filled in, e.g. `{settle}/orders`."""
    params: Any = None
    weight: int = 1
    """Cost of the request according to ccxt."""

    @property
    def endpoint(self) -> str:
        """Method and path; names the limit of an endpoint."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class ReportedUsage:
    """Amount and usage of one limit, as a response reports them."""

    name: str
    limit: Limit | None = None
    used: int | None = None


class RateLimitPolicy(Protocol):
    """The limits of one venue."""

    def limit(self, name: str) -> Limit:
        """Return a limit; it holds until the venue reports another."""

    def cost(self, request: Request) -> Mapping[str, int]:
        """Return the amount that a request uses of each limit, by the limit's name."""

    def read_usage(self, request: Request, headers: Mapping[str, str], response: Any) -> Iterable[ReportedUsage]:
        """Read the usage that a response reports.

        Args:
            request: The request.
            headers: The response's headers, their names in lower case.
            response: The decoded body.
        """


def _once(_request: Request) -> int:
    return 1


def _nothing(_headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    return None, None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPolicy:
    """A policy with one limit per endpoint."""

    limits: Mapping[str, Limit]
    default: Limit
    """Limit of each endpoint that `limits` does not name."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Name of the shared limit, for endpoints that share one."""
    per_address: str = ""
    """Name of the limit that every request counts against, if the venue has one per IP address."""
    count: Callable[[Request], int] = _once
    """Returns how many times a request counts, where each order of a batch counts."""
    read: Callable[[Mapping[str, str]], tuple[int | None, int | None]] = _nothing
    """Reads a response's headers; returns the endpoint's limit and what is left of it."""

    def limit(self, name: str) -> Limit:
        """Return a limit; it holds until the venue reports another."""
        return self.limits.get(name, self.default)

    def cost(self, request: Request) -> Mapping[str, int]:
        """Return the amount that a request uses of each limit."""
        cost = {self._name(request): self.count(request)}
        return cost | {self.per_address: 1} if self.per_address else cost

    def read_usage(self, request: Request, headers: Mapping[str, str], response: Any) -> Iterable[ReportedUsage]:
        """Read the usage that a response reports."""
        amount, left = self.read(headers)
        name = self._name(request)
        known = self.limit(name)
        limit = Limit(amount, known.window_s, known.shared) if amount else None
        used = None if left is None else max(0, (limit or known).amount - left)
        return (ReportedUsage(name, limit, used),) if limit or used else ()

    def _name(self, request: Request) -> str:
        return self.groups.get(request.endpoint, request.endpoint)


def int_header(headers: Mapping[str, str], name: str) -> int | None:
    """Return a header as an integer, or None when it is missing or not a whole number."""
    text = headers.get(name, "")
    return int(text) if text.isdecimal() else None
