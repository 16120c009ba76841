"""Starts our programs by forking a process that has imported them before.

To import a program costs more than a second of CPU, and a whole run starts hundreds of them: the imports were a fifth
of its cost. The program still is a process of its own, with its own arguments, environment, folder and output, and runs
the same `__main__`; only `ps` shows the server's command line. Programs that tests start by their console script, or by
`opensqt demo`, import everything anew, so an import that fails is seen there.

The server is one process for each worker of a run, without a thread and without an event loop, and ends with it.
Only on Linux: elsewhere a fork is not safe after some system libraries were loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

PROGRAMS = ("opensqt.connector", "opensqt.simulator", "opensqt.market_maker", "opensqt.live_server", "opensqt.cli")
_LAZY = (
    "opensqt.connector.server",
    "opensqt.simulator.simulator",
    "opensqt.market_maker.app",
    "opensqt.venues.factory",
    *(f"opensqt.venues.{venue}.adapter" for venue in ("binance", "bitget", "bybit", "gate", "okx")),
)
"""What the programs import only when they know that they need it."""
_Pipe = tuple[asyncio.StreamReader, asyncio.ReadTransport]
_PID = struct.Struct("!I")
_CODE = struct.Struct("!i")
_ROOT = Path(__file__).resolve().parents[2]
_LONGEST = 65_536
"""Bytes of a request."""


class ForkedProcess:
    """A program that the server forked, as `asyncio.subprocess.Process` shows one."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader, status: _Pipe) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._watching = asyncio.create_task(self._watch(*status))

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal if it runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    async def wait(self) -> int:
        """Wait for its end, and return the exit code or the negative number of the signal that ended it."""
        return await asyncio.shield(self._watching)

    async def _watch(self, status: asyncio.StreamReader, transport: asyncio.ReadTransport) -> int:
        try:
            (self.returncode,) = _CODE.unpack(await status.readexactly(_CODE.size))
        finally:
            transport.close()  # its end may not have been read when the test's loop closes
        assert self.returncode is not None
        return self.returncode


async def fork(module: str, arguments: tuple[str, ...], env: Mapping[str, str], cwd: Path | None) -> ForkedProcess:
    """Run `python -m MODULE ARGUMENTS`, one of PROGRAMS, in a fork of the server."""
    (out, theirs_out), (err, theirs_err), (status, theirs_status) = os.pipe(), os.pipe(), os.pipe()
    theirs = (theirs_out, theirs_err, theirs_status)
    try:
        (stdout, _), (stderr, _), told = [await _reader(pipe) for pipe in (out, err, status)]
        wanted = {"module": module, "arguments": arguments, "env": dict(env), "cwd": str(cwd or Path.cwd())}
        socket.send_fds(_server()[0], [json.dumps(wanted).encode()], theirs)
    finally:
        for pipe in theirs:
            os.close(pipe)
    (pid,) = _PID.unpack(await told[0].readexactly(_PID.size))
    return ForkedProcess(pid, stdout, stderr, told)


def server_pid() -> int:
    """Return the process id of this process's server."""
    return _server()[1].pid


async def _reader(pipe: int) -> _Pipe:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(pipe, "rb", 0))
    return reader, transport


@cache
def _server() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Start this process's server, once, and return the connection, which keeps messages apart, and the server."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-c", f"from {__name__} import main; main({theirs.fileno()})"]
        server = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=_ROOT, stdin=subprocess.DEVNULL)
    return ours, server


def serve(connection: socket.socket) -> tuple[str, list[str]] | None:
    """Fork a program for each request until the worker is gone.

    Returns:
        In a child: its program and arguments, which its caller has to run. In the server: None, at the end.
    """
    statuses: dict[int, int] = {}
    wake, woken = os.pipe()
    for pipe in (wake, woken):
        os.set_blocking(pipe, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(woken)
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.register(wake, selectors.EVENT_READ)
        while True:
            for key, _events in selector.select():
                if key.fileobj == wake:
                    os.read(wake, 4096)
                    _report(statuses)
                    continue
                request, pipes, _flags, _address = socket.recv_fds(connection, _LONGEST, 3)
                if not request:
                    return None
                wanted, (out, err, status) = json.loads(request), pipes
                if (pid := os.fork()) == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for pipe in (connection.detach(), wake, woken, status, *statuses.values()):
                        os.close(pipe)
                    _become(wanted, out, err)
                    return wanted["module"], wanted["arguments"]
                os.close(out)
                os.close(err)
                os.write(status, _PID.pack(pid))
                statuses[pid] = status


def _report(statuses: dict[int, int]) -> None:
    """Tell the worker how programs ended that have."""
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        pipe = statuses.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # a worker that no longer wants to know
            os.write(pipe, _CODE.pack(os.waitstatus_to_exitcode(status)))
        os.close(pipe)


def _become(wanted: dict[str, Any], out: int, err: int) -> None:
    """Take over the program's output, environment and folder."""
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - open until the program ends
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(wanted["env"])
    os.chdir(wanted["cwd"])


def main(connection: int) -> None:
    """Import the programs, and serve the worker that holds the other end of the connection."""
    for program in PROGRAMS:
        import_module(f"{program}.__main__")
        del sys.modules[f"{program}.__main__"]  # it runs anew, as `__main__`
    for module in _LAZY:
        import_module(module)
    gc.collect()
    gc.freeze()
    started = serve(socket.socket(fileno=connection))
    if started is not None:
        module, arguments = started
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
