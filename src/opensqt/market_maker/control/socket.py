"""The control socket: a Unix socket that only its owner can use, over which `opensqt` gives commands."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from opensqt.model.errors import ConfigError
from opensqt.telemetry.logging import redact

_LARGEST_REQUEST = 65_536


class Commands(Protocol):
    """What the socket serves: the commands of one grid, or of several."""

    def status(self) -> dict[str, Any]:
        """Return the whole of /status."""
        ...

    async def run(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one command and return its result.

        Raises:
            ConfigError: It can't be carried out; nothing was changed.
        """
        ...


class ReloadableCommands(Commands, Protocol):
    """Commands of a process that reads its settings file again."""

    socket_path: str

    async def reload(self) -> None:
        """Read the settings file again and apply what may change of it."""
        ...


class ControlSocket:
    """Serves the commands on a Unix socket. Only who may write the file can connect: its owner.

    Args:
        commands: Carries them out.
        path: Of the socket. One that is there is replaced: the caller holds the grid, or nobody listens on it.
    """

    def __init__(self, commands: Commands, path: Path) -> None:
        self.path = path
        self._commands = commands
        self._runner: web.AppRunner | None = None
        self._inode = 0

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: The socket can't be made.
        """
        application = web.Application(middlewares=[_as_json], client_max_size=_LARGEST_REQUEST)
        application.router.add_get("/status", self._status)
        for name in ("pause", "resume", "set", "reset"):
            application.router.add_post(f"/{name}", self._command)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        try:
            listener = _bind(self.path)
        except OSError as error:
            await self.close()
            raise ConfigError(
                f"system.control_socket: {self.path} can't be made: {error.strerror or error}; give another path"
            ) from None
        await web.SockSite(self._runner, listener).start()
        self._inode = self.path.stat().st_ino

    async def close(self) -> None:
        """Stop listening and remove the socket. Idempotent."""
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()
            with suppress(OSError):
                # Another process on this machine, which has taken over, may have made its own there.
                if self.path.stat().st_ino == self._inode:
                    self.path.unlink()

    async def _status(self, _request: web.Request) -> web.Response:
        return _answer(self._commands.status())

    async def _command(self, request: web.Request) -> web.Response:
        try:
            body = orjson.loads(await request.read() or b"{}")
        except orjson.JSONDecodeError:
            raise ConfigError("expected JSON") from None
        if not isinstance(body, dict):
            raise ConfigError("expected a JSON object")
        return _answer(await self._commands.run(request.path.removeprefix("/"), body))


def is_served(path: Path) -> bool:
    """Return whether a process listens on a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True


@web.middleware
async def _as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ConfigError as error:
        return _answer({"error": redact(str(error))}, status=400)
    except web.HTTPException as error:
        return _answer({"error": error.reason}, status=error.status)


def _answer(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def _bind(path: Path) -> socket.socket:
    """Return a listening socket that only this user can open."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.parent.stat().st_uid not in (os.getuid(), 0):
        raise OSError(f"its folder {path.parent} is another user's")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    listener.setblocking(False)
    return listener
