"""Addresses to listen on, and the error with advice when one can't be listened on."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from opensqt.model.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """An address to listen on, and the options that give another."""

    host: str
    port: int
    """0 takes any free port."""
    host_option: str = "--host"
    port_option: str = "--port"
    what: str = ""
    """Name of the listener, in a program with several: `metrics`."""

    def bind(self) -> socket.socket:
        """Return a socket that is bound to the address and does not listen yet.

        Raises:
            ConfigError: The port is in use or not allowed to this user, or the host is not an address of this machine.
        """
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0]
            listener = socket.socket(family, kind, protocol)
        except OSError as error:
            raise self.refusal(error) from None
        try:
            # Connections of a server that just ended don't block the port.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as error:
            listener.close()
            raise self.refusal(error) from None
        return listener

    def check_free(self) -> None:
        """Bind the address and release it again, before a server that gives no reason when it fails to listen.

        Raises:
            ConfigError: As `bind`.
        """
        self.bind().close()

    def refusal(self, error: OSError) -> ConfigError:
        """Return the error for the user when this address could not be listened on."""
        what = f"{self.what} " if self.what else ""
        if isinstance(error, socket.gaierror):
            return ConfigError(
                f"{what}host {self.host!r}: unknown; give an address of this machine with {self.host_option}"
            )
        if error.errno == errno.EADDRINUSE:
            advice = f"stop what listens there, or give another with {self.port_option} (0: any free one)"
            return ConfigError(f"{what}port {self.port}: already in use; {advice}")
        if error.errno in (errno.EACCES, errno.EPERM):
            advice = f"give one above 1023 with {self.port_option}"
            return ConfigError(f"{what}port {self.port}: not allowed to this user; {advice}")
        # asyncio replaces the system's text by a sentence of its own.
        reason = os.strerror(error.errno) if error.errno else str(error)
        return ConfigError(
            f"{what}{self.host}:{self.port}: can't listen: {reason}; see {self.host_option} and {self.port_option}"
        )
