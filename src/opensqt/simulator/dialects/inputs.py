"""What the endpoints of a venue take: done, done for some values, without effect, or not simulated and refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson


class Handling(StrEnum):
    """What the simulator makes of a parameter."""

    DONE = "done"
    """Read and acted upon; `values` are the exceptions, which are refused."""
    FIXED = "only these values"
    """The simulator always does what one of `values` asks for; every other value is refused."""
    NO_EFFECT = "no effect"
    """Taken: it changes nothing that a client could see here."""
    ABSENT = "refused"
    """Not simulated: refused whatever the value."""


@dataclass(frozen=True, slots=True)
class Input:
    """One parameter of an endpoint; a field of a nested object is named `object.field`."""

    name: str
    handling: Handling
    values: tuple[str, ...] = ()
    """See `Handling`; the case of letters makes no difference."""
    reason: str = ""
    """Why it is not simulated, or has no effect; empty for what is done."""
    by_handler: bool = False
    """The handler refuses the values that are not simulated, because they depend on other parameters."""

    def refuses(self, value: str) -> bool:
        """Return whether a value asks for what is not simulated."""
        if not value or self.by_handler or self.handling is Handling.NO_EFFECT:
            return False
        if self.handling is Handling.ABSENT:
            return True
        given = value.lower()
        return any(given == known.lower() for known in self.values) is (self.handling is Handling.DONE)


Inputs = tuple[Input, ...]


@dataclass(frozen=True, slots=True)
class EndpointInputs:
    """What one endpoint takes.

    Attributes:
        fields: Its parameters, in the query or in the body.
        items: What an item of the list takes that a batch carries.
        items_name: Parameter that has the list; empty where the body is the list.
    """

    fields: Inputs = ()
    items: Inputs = ()
    items_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueInputs:
    """What a venue's endpoints take, and what the venue has besides that the simulator has not.

    Attributes:
        shared: Parameters that every endpoint takes, such as those of a signature.
        endpoints: By method and path, as in `Route`.
        unknown: What the venue does with a parameter that it does not know, as a sentence.
        not_served: Documented endpoints that are not served, and why; their call gets the error of an unknown path.
        channels: Documented channels that are refused, and why.
    """

    shared: Inputs = ()
    endpoints: Mapping[str, EndpointInputs]
    unknown: str
    not_served: Mapping[str, str]
    channels: Mapping[str, str]


def done(names: str, *, but: str = "", reason: str = "", by_handler: bool = False) -> Inputs:
    """Declare parameters that are acted upon, except some values."""
    return tuple(Input(name, Handling.DONE, tuple(but.split()), reason, by_handler) for name in names.split())


def fixed(names: str, values: str, reason: str) -> Inputs:
    """Declare parameters of which only these values are simulated, so that they need not be read."""
    return tuple(Input(name, Handling.FIXED, tuple(values.split()), reason) for name in names.split())


def no_effect(names: str, reason: str) -> Inputs:
    """Declare parameters that change nothing here that a client could see."""
    return tuple(Input(name, Handling.NO_EFFECT, reason=reason) for name in names.split())


def absent(names: str, reason: str) -> Inputs:
    """Declare parameters that the venue has and the simulator has not."""
    return tuple(Input(name, Handling.ABSENT, reason=reason) for name in names.split())


def sent(fields: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    """Return the names and values that a query or a JSON object has, with those of nested objects."""
    for name, value in fields.items():
        named = f"{within}{name}"
        nested = value if isinstance(value, list) else [value]
        objects = [item for item in nested if isinstance(item, dict)]
        if objects:
            for item in objects:
                yield from sent(item, f"{named}.")
        elif not isinstance(value, list):
            yield named, _text(value)
        elif value:
            yield named, ",".join(_text(item) for item in value)


def body_fields(body: str) -> dict[str, Any]:
    """Return the object that a JSON body has; nothing for any other body."""
    if not body.startswith("{"):
        return {}
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def not_simulated(venue: VenueInputs) -> dict[str, Any]:
    """Return what is not simulated of a venue, as `GET /_sim/unsupported` does."""
    return {
        "unknown_parameters": venue.unknown,
        "parameters": [
            {
                "endpoint": endpoint,
                "parameter": field.name,
                "handling": "refused values" if field.handling is Handling.DONE else field.handling.value,
                "values": list(field.values),
                "reason": field.reason,
            }
            for endpoint, takes in venue.endpoints.items()
            for field in (*takes.fields, *(_of_item(takes, field) for field in takes.items))
            if field.handling is not Handling.DONE or field.values
        ],
        "endpoints": [{"endpoint": name, "reason": reason} for name, reason in venue.not_served.items()],
        "channels": [{"channel": name, "reason": reason} for name, reason in venue.channels.items()],
    }


def _of_item(takes: EndpointInputs, field: Input) -> Input:
    return Input(f"{takes.items_name}[].{field.name}", field.handling, field.values, field.reason)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
