"""Ports for a program that is started again on the same one."""

from __future__ import annotations

import os
import socket

_given: set[int] = set()
"""None of them is answered twice: who got it may not listen yet."""


def free_ports(count: int = 1) -> int:
    """Answer the first of some consecutive ports that nobody listens on.

    They lie below those that the system hands out: while the program is down, a connection of any other process may
    get one of these, and its next start fails.
    """
    for first in range(10_000 + os.getpid() % 1_000 * 20, 32_000, count):
        if _given & {*range(first, first + count)}:
            continue
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        _given.update(range(first, first + count))
        return first
    raise AssertionError("no free ports")
