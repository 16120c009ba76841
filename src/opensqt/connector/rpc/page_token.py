"""Page tokens: where the next page of a list begins, as a string that only the connector reads.

A token holds the place itself, so it does not expire and outlives a restart. It is not signed: it names no row that its
holder may not read by asking for the list.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from opensqt.model.errors import InvalidRequest

MAX_PAGE = 1000
_MAX_LENGTH = 65_536
_MAX_NUMBER = 2**63 - 1

Asked = tuple[str | int, ...]
"""The list and what the request says of it; the request for the next page has to say the same."""


def check(page_size: int, page_token: str) -> None:
    """Check the two fields that every request for pages has.

    Raises:
        InvalidRequest: The size is out of its bounds, or a token comes without one.
    """
    if page_token and not page_size:
        raise InvalidRequest(f"page_size 0: expected 1 to {MAX_PAGE} where page_token is given")
    if not 0 <= page_size <= MAX_PAGE:
        raise InvalidRequest(f"page_size {page_size}: expected 1 to {MAX_PAGE}, or 0 for no pages")


def write(asked: Asked, numbers: Sequence[int], names: Sequence[str] = ()) -> str:
    """Return the token of a place, which some numbers and names describe."""
    content = json.dumps([list(asked), list(numbers), list(names)], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def read(token: str, asked: Asked, *, numbers: int) -> tuple[list[int], list[str]]:
    """Return the numbers, so many of them, and the names that a token holds.

    Raises:
        InvalidRequest: It is no token, or one of another list.
    """
    try:
        if len(token) > _MAX_LENGTH:
            raise ValueError("too long")
        of, found, names = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
        if of != list(asked) or len(found) != numbers or not all(map(_is_number, found)):
            raise ValueError("another list")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("no names")
    except (ValueError, TypeError, RecursionError):
        shown = repr(token if len(token) <= 40 else f"{token[:40]}...")
        raise InvalidRequest(
            f"page_token {shown}: expected next_page_token of an earlier response to the same request"
        ) from None
    return found, names


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_NUMBER
