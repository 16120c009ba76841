"""The table of what is not simulated of each venue, as `exchange-simulator --unsupported` and the documents have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from opensqt.simulator.dialects import DIALECTS
from opensqt.simulator.dialects.inputs import EndpointInputs, Handling, Input, VenueInputs


def table(exchange: str) -> str:
    """Return what is not simulated of one venue, in Markdown."""
    venue = DIALECTS[exchange].inputs
    rows = [
        "| endpoint | parameter | what happens | why |",
        "|---|---|---|---|",
        *(
            f"| {'<br>'.join(endpoints)} | {names} | {happens} | {reason} |"
            for (names, happens, reason), endpoints in _grouped(venue.endpoints).items()
        ),
    ]
    return "\n".join(
        [
            f"## {exchange.capitalize()}",
            "",
            f"A parameter that the venue does not know is {venue.unknown}.",
            "",
            *rows,
            "",
            *_list("Endpoints of the venue that are not served:", venue.not_served),
            *_list("Channels of the venue that are refused:", venue.channels),
        ]
    )


def count(venue: VenueInputs) -> str:
    """Return how much of a venue is not simulated, in one sentence."""
    declared = (field for takes in venue.endpoints.values() for field in (*takes.fields, *takes.items))
    parameters = sum(not _is_done(field) for field in declared)
    return f"{parameters} parameters, {len(venue.not_served)} endpoints and {len(venue.channels)} channels"


def _is_done(field: Input) -> bool:
    return field.handling is Handling.DONE and not field.values


def _grouped(endpoints: Mapping[str, EndpointInputs]) -> dict[tuple[str, str, str], list[str]]:
    """Return the endpoints by what they do not simulate alike."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for endpoint, takes in endpoints.items():
        by_treatment: dict[tuple[str, str], list[str]] = {}
        for field in (*takes.fields, *takes.items):
            if not _is_done(field):
                by_treatment.setdefault((_happens(field), field.reason), []).append(f"`{field.name}`")
        for (happens, reason), names in by_treatment.items():
            found.setdefault((" ".join(dict.fromkeys(names)), happens, reason), []).append(f"`{endpoint}`")
    return found


def _happens(field: Input) -> str:
    values = ", ".join(f"`{value}`" for value in field.values)
    return {
        Handling.DONE: f"refused: {values}",
        Handling.FIXED: f"refused, except {values}",
        Handling.NO_EFFECT: "no effect",
        Handling.ABSENT: "refused",
    }[field.handling]


def _list(title: str, entries: Mapping[str, str]) -> Iterable[str]:
    if not entries:
        return []
    return [title, "", *(f"- `{name}`: {reason}" for name, reason in entries.items()), ""]


def document() -> str:
    """Return the page of all venues in the documents."""
    head = (
        "# What is not simulated\n\n"
        "The simulator does what a parameter asks for, or refuses it with the venue's own error: it never says yes\n"
        "without doing. This page is made from the tables that it checks each request against\n"
        "(`exchange-simulator --exchange all --unsupported`); a running one returns its own in `GET\n"
        "/_sim/unsupported`, and under `ignored` what its clients sent that the venue does not know.\n"
    )
    return "\n".join([head, *(table(exchange) for exchange in sorted(DIALECTS))])
