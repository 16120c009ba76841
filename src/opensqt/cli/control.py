"""`opensqt pause`, `resume`, `set` and `reset`: commands to a running market maker, over its control socket."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from opensqt.cli import options as shared
from opensqt.config.market_maker import MarketMakerSettings, load_settings
from opensqt.market_maker.control.changes import LIVE_KEYS, parse_change
from opensqt.model.errors import ConfigError, Unreachable

_TIMEOUT_S = 30.0

_PAUSED = {
    "": "not paused: entries are placed again",
    "entries": "paused: exits only",
    "all": "paused: no orders at all",
}

Confirm = Callable[[str], Awaitable[bool]]

_PAUSE = """\
examples:
  opensqt pause --config configs/config.yaml             entries are cancelled, exits stay and are placed
  opensqt pause --config configs/config.yaml --all       exits are cancelled as well: no order is left
  opensqt pause --config configs/config.yaml --symbol ETHUSDT    one of several symbols; without it all of them

Exit code 0: it is paused; 1: it has not taken it up yet, or could not store it, so that a restart forgets it; 4: no
market maker runs there.
"""
_SET = """\
examples:
  opensqt set --config configs/config.yaml                                      what may change, and what was changed
  opensqt set --config configs/config.yaml trading.order_quantity=40            the preview; asks before it applies it
  opensqt set --config configs/config.yaml trading.order_quantity=40 --yes
  opensqt set --config configs/config.yaml --unset trading.order_quantity --yes     the file's value again

A changed setting wins over the file and the environment, also after a restart, until it is unset. SIGHUP reads the file
again. With several symbols --symbol names the one whose settings change.

Exit code 0: done, or only the preview was asked for; 2: a value is wrong, and nothing was changed; 4: no market maker
runs there.
"""
_RESET = """\
examples:
  opensqt reset --config configs/config.yaml                    what can be reset
  opensqt reset --config configs/config.yaml NAME               what it would do; asks before it does
  opensqt reset --config configs/config.yaml NAME --yes
  opensqt reset --config configs/config.yaml --symbol ETHUSDT NAME    one of several symbols

Exit code 0: done, or only the preview was asked for; 2: there is no such reset, or it can't be done; 4: no market maker
runs there.
"""


def add_pause(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `pause`."""
    _explain(parser, "Pauses a market maker: no entries until `opensqt resume`, also after a restart.", _PAUSE)
    parser.add_argument("--all", action="store_true", help="no orders at all: exits are cancelled, too")
    shared.add_symbol(parser)


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `set`."""
    _explain(parser, "Changes settings of a running market maker.", _SET)
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE", help="e.g. trading.order_quantity=40")
    parser.add_argument("--unset", action="append", default=[], metavar="KEY", help="take the file's value again")
    shared.add_symbol(parser)
    parser.add_argument("--yes", action="store_true", help="apply it without asking")


def add_reset(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `reset`."""
    _explain(parser, "Resets what has stopped and does not start again by itself.", _RESET)
    parser.set_defaults(name="")
    # A default of its own would replace what an option before it has set.
    parser.add_argument("name", nargs="?", default=argparse.SUPPRESS, metavar="NAME", help="what to reset")
    for name in ("breaker", "take-venue"):
        parser.add_argument(f"--{name}", dest="name", action="store_const", const=name, help=f"the same as {name}")
    shared.add_symbol(parser)
    parser.add_argument("--yes", action="store_true", help="do it without asking")


def add_socket(parser: argparse.ArgumentParser) -> None:
    """Add `--socket`."""
    parser.add_argument(
        "--socket", type=Path, metavar="PATH", help="the control socket, which /status shows (default: by the settings)"
    )


def _explain(parser: argparse.ArgumentParser, description: str, epilog: str) -> None:
    parser.description = description
    parser.epilog = epilog
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    shared.add_config(parser)
    add_socket(parser)
    shared.add_json(parser)


async def run(options: argparse.Namespace, confirm: Confirm) -> int:
    """Give the command and return the exit code.

    Args:
        options: Of the command line.
        confirm: Asks the person.

    Raises:
        ConfigError: The market maker refuses it.
        Unreachable: None runs there.
    """
    settings = load_settings(options.config, environ=os.environ)
    maker = ControlClient(settings, options.socket, symbol=options.symbol)
    match options.command:
        case "pause":
            result = await maker.post("pause", {"all": options.all})
            return _show_pause(options, result)
        case "resume":
            return _show_pause(options, await maker.post("resume", {}))
        case "set":
            body = {"changes": dict(map(parse_change, options.changes)), "unset": options.unset}
            return await _with_preview(maker, "set", body, options, confirm, _set_lines)
        case _:
            return await _with_preview(maker, "reset", {"name": options.name}, options, confirm, _reset_lines)


class ControlClient:
    """A client of one market maker's control socket.

    Args:
        settings: The market maker's.
        path: Of the socket; None finds it by the settings.
        symbol: The one that commands are for; empty is the only one, or all.
    """

    def __init__(self, settings: MarketMakerSettings, path: Path | None = None, *, symbol: str = "") -> None:
        # aiohttp and SQLAlchemy take half a second to import, which the kill switch must not wait for.
        from opensqt.market_maker.control.path import control_path

        self.path = path or control_path(settings)
        self._symbol = symbol
        self._by = f"{_person()} on {socket.gethostname()}"[:120]

    async def status(self) -> dict[str, Any]:
        """Return the whole /status."""
        return await self._request("GET", "status", None)

    async def post(self, command: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Give a command and return its result."""
        return await self._request("POST", command, {**body, "symbol": self._symbol, "by": self._by})

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        import aiohttp

        if not self.path.exists():
            raise Unreachable(
                f"no market maker takes commands at {self.path}: is it running, and is this its folder? Its /status"
                " shows the path as control.socket; give that with --socket"
            )
        connector = aiohttp.UnixConnector(str(self.path))
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.request(method, f"http://market-maker/{path}", json=body) as response,
            ):
                answer: dict[str, Any] = await response.json()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Unreachable(
                f"the market maker does not answer at {self.path}: {error or type(error).__name__}; is it running?"
            ) from None
        if "error" in answer:
            raise ConfigError(str(answer["error"]))
        return answer


def _show_pause(options: argparse.Namespace, result: dict[str, Any]) -> int:
    several: Mapping[str, dict[str, Any]] = result.get("symbols", {})
    found = several or {"": result}
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        for symbol, one in found.items():
            for line in _pause_lines(one):
                print(f"{symbol}: {line}" if symbol else line)
    return 0 if all(one["stored"] and one["in_force"] for one in found.values()) else 1


def _pause_lines(result: Mapping[str, Any]) -> list[str]:
    lines = [_PAUSED[result["paused"]]]
    if not result["stored"]:
        lines.append("it is NOT stored, so a restart forgets it: the database did not take it")
    if not result["in_force"]:
        lines.append("the grid has not taken it up yet; it does as soon as it goes on")
    return lines


async def _with_preview(
    maker: ControlClient,
    command: str,
    body: dict[str, Any],
    options: argparse.Namespace,
    confirm: Confirm,
    show: Callable[[Console, dict[str, Any]], None],
) -> int:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    asked = any(body.values())
    result = await maker.post(command, {**body, "apply": options.yes and asked})
    if not options.json:
        show(console, result)
    if asked and not options.yes and not options.json:
        if not sys.stdin.isatty():
            console.print("this is the preview; --yes applies it")
            return 0
        if not await confirm("apply this?"):
            console.print("nothing was changed")
            return 1
        result = await maker.post(command, {**body, "apply": True})
    if options.json:
        print(json.dumps(result, indent=2))
    elif asked:
        console.print("applied" if result["applied"] else "NOT applied: the grid has not taken it up in time")
    return 0 if result["applied"] or not (asked and options.yes) else 1


def _set_lines(console: Console, result: dict[str, Any]) -> None:
    if "values" in result:
        table = Table("key", "value", "", box=None)
        for key in LIVE_KEYS:
            table.add_row(key, result["values"].get(key, ""), "changed by set" if key in result["overrides"] else "")
        console.print(table)
        return
    for one in result["changes"]:
        console.print(f"{one['key']}: {one['before']} -> {one['after']}")
    if not result["changes"]:
        console.print("no value changes")
    for note in result["notes"]:
        console.print(note)
    for title, sign in (("cancels", "-"), ("places", "+")):
        orders = result[title]
        console.print(f"{title} {len(orders)} order{'' if len(orders) == 1 else 's'}")
        for order in orders[:20]:
            console.print(f"  {sign} {order['side'].lower():4} {order['quantity']} at {order['price']}")
        if len(orders) > 20:
            console.print(f"  {sign} and {len(orders) - 20} more")


def _reset_lines(console: Console, result: dict[str, Any]) -> None:
    if "resets" in result:
        for name, summary in result["resets"].items():
            console.print(f"{name}: {summary}")
        if not result["resets"]:
            console.print("there is nothing that could be reset")
        return
    for key, value in result["preview"].items():
        lines = value if isinstance(value, list) else [value]
        console.print(f"{key}: {', '.join(map(str, lines)) or 'none'}")


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
