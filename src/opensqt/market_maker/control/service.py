"""Commands of a person while the grid runs: the socket, SIGHUP, and what was stored of earlier ones."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from opensqt.config.market_maker import MarketMakerSettings
from opensqt.market_maker.alerts.service import Alerts
from opensqt.market_maker.control.changes import with_live
from opensqt.market_maker.control.commands import ControlCommands
from opensqt.market_maker.control.live import RunningSettings
from opensqt.market_maker.control.operator import Reset
from opensqt.market_maker.control.socket import ControlSocket, ReloadableCommands
from opensqt.market_maker.control.state import ControlState
from opensqt.market_maker.engine import GridEngine
from opensqt.market_maker.engine_settings import EngineSettings
from opensqt.market_maker.orders.events import TakeVenue
from opensqt.market_maker.service import MarketMaker
from opensqt.market_maker.store.control_state import load_control, save_control
from opensqt.market_maker.store.store import Store
from opensqt.model.errors import ConfigError
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.control")

Load = Callable[[Mapping[str, str]], MarketMakerSettings]
"""Reads the settings file and the environment, with overrides by dotted key on top."""


def ignore_hangup() -> None:
    """Ignore SIGHUP from now on: the end of a terminal must not end the process with orders in the market."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


async def stored_commands(
    settings: MarketMakerSettings, store: Store, load: Load
) -> tuple[ControlState, MarketMakerSettings, str]:
    """Return the stored commands, the settings with the stored changes, and why those could not be taken."""
    state = await load_control(store, settings.trading.symbol)
    if state.problems() or state.overrides:
        _log.warning("commands of an earlier run", pause=state.pause.value, overrides=dict(state.overrides))
    try:
        return state, with_live(settings, load(state.overrides)) if state.overrides else settings, ""
    except ConfigError as error:
        return state, settings, f"a stored change is not in force, `opensqt set --unset KEY` drops it: {error}"


def _breaker(maker: MarketMaker) -> Reset:
    risk = maker.engine.risk
    return Reset(
        summary="lets entries begin again after the circuit breaker, the risk monitor or a loss limit stopped them",
        preview=lambda: {"stopped by": [f"{rule}: {reason}" for rule, reason in risk.triggered().items()]},
        apply=risk.reset,
    )


def take_venue_reset(engine: GridEngine) -> Reset:
    """Return the reset that makes the levels explain the venue's position."""

    def preview() -> dict[str, list[str]]:
        engine.handle(TakeVenue(preview=True), time.monotonic())
        return {"levels": engine.takeover.splitlines()}

    return Reset(
        summary="drops or lays levels until they explain the position at the exchange; the history stays",
        preview=preview,
        apply=lambda now: engine.handle(TakeVenue(preview=False), now),
        refusal=lambda: "" if engine.takeover_possible else engine.takeover,
    )


def grid_commands(
    maker: MarketMaker,
    alerts: Alerts,
    store: Store,
    stored: tuple[ControlState, MarketMakerSettings, str],
    *,
    load: Load,
    to_engine: Callable[[MarketMakerSettings], EngineSettings],
) -> ControlCommands:
    """Return the commands of one grid.

    Args:
        maker: Not running yet: a stored pause is in force before its first order.
        alerts: Of the process.
        store: Holds the grid.
        stored: As `stored_commands` returned it.
        load: See `Load`.
        to_engine: Returns the engine's settings of a whole file.
    """
    state, settings, fault = stored
    commands = ControlCommands(
        maker,
        state,
        settings,
        load=load,
        live=RunningSettings(maker, alerts, to_engine),
        save=partial(save_control, store, settings.trading.symbol),
    )
    commands.fault = fault
    maker.engine.operator.pause = state.pause
    maker.engine.operator.resets.setdefault("breaker", _breaker(maker))
    maker.engine.operator.resets.setdefault("take-venue", take_venue_reset(maker.engine))
    maker.problem_sources.append(commands.problems)
    maker.status_sources.append(commands.section)
    return commands


@asynccontextmanager
async def taking_commands(commands: ReloadableCommands, path: Path) -> AsyncIterator[None]:
    """Take commands at a socket, and SIGHUP, while the block runs.

    Raises:
        ConfigError: The socket can't be made.
    """
    socket = ControlSocket(commands, path)
    await socket.start()
    commands.socket_path = str(socket.path.absolute())
    loop = asyncio.get_running_loop()
    hangup = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    reloads = asyncio.create_task(_reload_at(hangup, commands), name="settings read again")
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        ignore_hangup()
        reloads.cancel()
        await asyncio.gather(reloads, return_exceptions=True)
        await socket.close()


async def _reload_at(hangup: asyncio.Event, commands: ReloadableCommands) -> None:
    while True:
        await hangup.wait()
        hangup.clear()
        _leave_lost_terminal()
        await commands.reload()


def _leave_lost_terminal() -> None:
    """Send what would be printed nowhere, where the terminal is gone: to write to it is an error."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
            os.write(stream.fileno(), b"")
        except (OSError, ValueError):
            lost = os.open(os.devnull, os.O_WRONLY)
            os.dup2(lost, stream.fileno())
            os.close(lost)
