"""The rule for client order ids that every venue accepts."""

from __future__ import annotations

import re
import secrets
import time

MAX_LENGTH = 32
"""OKX accepts at most 32 letters and digits; Gate 28 after its `t-` (the adapter declares it)."""
_PATTERN = re.compile(r"[A-Za-z0-9]{1,32}")
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def is_valid(client_order_id: str, *, max_length: int = MAX_LENGTH) -> bool:
    """Return whether the id is 1 to *max_length* ASCII letters and digits."""
    return len(client_order_id) <= max_length and _PATTERN.fullmatch(client_order_id) is not None


def base62(number: int) -> str:
    """Write a non-negative number in letters and digits."""
    if number < 0:
        raise ValueError(f"number {number}: expected zero or above")
    digits = ""
    while True:
        number, rest = divmod(number, 62)
        digits = _ALPHABET[rest] + digits
        if not number:
            return digits


def new(prefix: str = "") -> str:
    """Make a unique id, across calls and processes: the time, then 64 random bits.

    Args:
        prefix: Letters and digits, 8 at most.
    """
    made = f"{prefix}{base62(time.time_ns() // 1_000_000)}{base62(secrets.randbits(64))}"
    if len(prefix) > 8 or not is_valid(made, max_length=28):
        raise ValueError(f"prefix {prefix!r}: expected at most 8 letters and digits")
    return made
