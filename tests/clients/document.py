"""The table of passed calls and the list of exceptions, as docs/simulator-clients.md has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.clients.catalogue import FOLDER, Client, Exceptions
from tests.clients.report import Report, table

PAGE = FOLDER.parents[1] / "docs" / "simulator-clients.md"
_BEGINS = "<!-- {}: written by `make clients ARGS=--write` -->"
_ENDS = "<!-- end of {} -->"


def written(reports: Sequence[Report], accepted: Mapping[Client, Exceptions], page: str) -> str:
    """Return the page with the results of these runs in it.

    Raises:
        ValueError: The page lacks the place for a part.
    """
    page = _replaced(page, "passed calls", table(reports))
    missing = [["client", "call", "why it fails"]]
    missing += [[one.client, f"`{one.call}`", one.why] for each in accepted.values() for one in each.missing]
    page = _replaced(page, "failing calls", _rows(missing))
    fields = [["client", "answer", "fields", "why they are not compared"]]
    for each in accepted.values():
        for one in each.uncompared:
            answer, names = f"`{one.call}`" if one.call else "every one", ", ".join(f"`{name}`" for name in one.fields)
            fields.append([one.client, answer, names, one.why])
    return _replaced(page, "fields not compared", _rows(fields))


def problems(reports: Sequence[Report], accepted: Mapping[Client, Exceptions], page: Path = PAGE) -> list[str]:
    """Return a sentence when the page says something else than these runs."""
    text = page.read_text()
    if written(reports, accepted, text) == text:
        return []
    return [f'{page.name} is not what the clients passed: run make clients ARGS="--write"']


def _rows(rows: Sequence[Sequence[str]]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def _replaced(page: str, part: str, text: str) -> str:
    begins, ends = _BEGINS.format(part), _ENDS.format(part)
    before, found, rest = page.partition(begins)
    _, closed, after = rest.partition(ends)
    if not found or not closed:
        raise ValueError(f"the page has no place for {part}: expected {begins} and {ends}")
    return f"{before}{begins}\n{text}\n{ends}{after}"
