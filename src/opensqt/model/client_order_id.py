"""The rule for client order ids that every venue accepts."""

from __future__ import annotations

import secrets
import time

MAX_LENGTH = 32
"""OKX accepts at most 32 letters and digits; Gate 28 after its `t-` (the adapter declares it)."""
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def is_valid(client_order_id: str, *, max_length: int = MAX_LENGTH) -> bool:
    """Return whether the id is 1 to *max_length* ASCII letters and digits."""
    length = len(client_order_id)
    return 0 < length <= min(max_length, MAX_LENGTH) and client_order_id.isascii() and client_order_id.isalnum()


def base62(number: int) -> str:
    """Write a non-negative number in letters and digits."""
    if number < 0:
        raise ValueError(f"number {number}: expected zero or above")
    if number < 62:
        return _ALPHABET[number]
    if number < 62 * 62:
        return _PAIRS[number]
    return base62(number // (62 * 62)) + _PAIRS[number % (62 * 62)]


def new(prefix: str = "") -> str:
    """Make a unique id, across calls and processes: the time, then 64 random bits.

    Args:
        prefix: Letters and digits, 8 at most.
    """
    made = f"{prefix}{base62(time.time_ns() // 1_000_000)}{base62(secrets.randbits(64))}"
    if len(prefix) > 8 or not is_valid(made, max_length=28):
        raise ValueError(f"prefix {prefix!r}: expected at most 8 letters and digits")
    return made
