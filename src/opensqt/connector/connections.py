"""Bounds the connections of one address to the connector's port.

gRPC accepts every connection, and one that no call is made on costs a descriptor and its buffers. Without a bound one
program, or a stranger, takes all descriptors of the process, and neither the journal nor the venue gets another.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections import Counter
from contextlib import suppress

from opensqt.telemetry import logging

_log = logging.get_logger("connector.connections")
LOOK_EVERY_S = 1.0
_DESCRIPTORS = "/dev/fd"
_INTERNET = (socket.AF_INET, socket.AF_INET6)
Peer = tuple[str, int]


class ConnectionLimit:
    """Closes the connections of an address beyond a number, the newest first.

    gRPC for Python has no such limit and shows no connections, so they are found among the process's descriptors.

    Args:
        at_most: Connections that one address may have.
    """

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._kept: set[Peer] = set()
        self.closed = 0
        """Connections that were closed."""

    async def run(self, port: int) -> None:
        """Look once a second.

        Args:
            port: The port that clients connect to.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if len(os.listdir(_DESCRIPTORS)) > self._at_most:
                # With many connections a look takes a while, and orders must not wait for it.
                closed = await asyncio.to_thread(self.enforce, port)
                for address, count in closed.items():
                    _log.warning("connections closed", address=address, count=count, limit=self._at_most)

    def enforce(self, port: int) -> Counter[str]:
        """Close what is too much, and return how many connections of each address were closed."""
        found = _connections(port)
        try:
            self._kept &= found.keys()
            count = Counter(address for address, _ in self._kept)
            closed: Counter[str] = Counter()
            for peer, connection in found.items():
                address, _ = peer
                if peer in self._kept:
                    continue
                if count[address] < self._at_most:
                    count[address] += 1
                    self._kept.add(peer)
                else:
                    closed[address] += 1
                    _close(connection)
        finally:
            for connection in found.values():
                connection.close()
        self.closed += closed.total()
        return closed


def address_of(peer: str) -> str:
    """Return the address of a call's peer, as gRPC writes it, without its port."""
    return peer.rpartition(":")[0]


def _connections(port: int) -> dict[Peer, socket.socket]:
    """Return a duplicate of each connection to *port*: it stays the same one, whatever gRPC closes meanwhile.

    They are in the order of their descriptors, which is mostly that of their age.
    """
    found: dict[Peer, socket.socket] = {}
    for descriptor in sorted(map(int, os.listdir(_DESCRIPTORS))):
        with suppress(OSError):  # closed meanwhile, or not connected
            connection = _duplicate(descriptor)
            if connection is None or (peer := _peer(connection, port)) is None:
                continue
            # gRPC may hold a connection by two descriptors.
            if found.setdefault(peer, connection) is not connection:
                connection.close()
    return found


def _peer(connection: socket.socket, port: int) -> Peer | None:
    """Return who is connected to *port*; None, with the socket closed, where it is another socket."""
    try:
        if connection.family in _INTERNET and connection.getsockname()[1] == port:
            address, peer_port, *_ = connection.getpeername()
            return address.removeprefix("::ffff:"), peer_port
    except OSError:
        connection.close()
        raise
    connection.close()
    return None


def _duplicate(descriptor: int) -> socket.socket | None:
    """Return a socket of its own for the same connection; None where the descriptor is no socket."""
    copy = os.dup(descriptor)
    if not stat.S_ISSOCK(os.fstat(copy).st_mode):
        os.close(copy)
        return None
    return socket.socket(fileno=copy)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended meanwhile
        connection.shutdown(socket.SHUT_RDWR)
