"""Carries out a person's commands: checks them, stores them, hands them to the grid, and audits each in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from sqlalchemy.exc import SQLAlchemyError

from opensqt.config.market_maker import MarketMakerSettings
from opensqt.market_maker.control.changes import (
    LIVE_KEYS,
    Difference,
    check_live,
    differences,
    shown,
    value_of,
    with_live,
)
from opensqt.market_maker.control.state import ControlState
from opensqt.market_maker.orders.events import PauseChanged, PauseMode, ResetRequested
from opensqt.market_maker.service import MarketMaker
from opensqt.model.clock import now_ms
from opensqt.model.errors import ConfigError
from opensqt.telemetry.logging import MASK, get_logger, set_level

_log = get_logger("market_maker.control")

APPLY_WITHIN_S = 10.0
"""Seconds that a command waits until the grid has taken it up."""


class LiveSettings(Protocol):
    """What applies settings to the running parts."""

    def preview(self, settings: MarketMakerSettings) -> dict[str, Any]:
        """Return what would be cancelled and placed.

        Raises:
            ConfigError: The settings break a rule.
        """
        ...

    async def apply(self, settings: MarketMakerSettings) -> None:
        """Apply the settings."""
        ...


class ControlCommands:
    """The commands of one market maker.

    Args:
        maker: Running, or about to.
        state: As stored.
        settings: Those that are in force, overrides included.
        load: Reads the settings file again, with overrides by dotted key on top.
        live: Applies changed settings.
        save: Stores the state.
    """

    def __init__(
        self,
        maker: MarketMaker,
        state: ControlState,
        settings: MarketMakerSettings,
        *,
        load: Callable[[Mapping[str, str]], MarketMakerSettings],
        live: LiveSettings,
        save: Callable[[ControlState], Awaitable[None]],
    ) -> None:
        self.state = state
        self.settings = settings
        self.socket_path = ""
        """Where commands are taken; empty while they are not."""
        self._maker = maker
        self._load = load
        self._live = live
        self._save = save
        self._needs_restart: list[Difference] = []
        self.fault = ""
        """Why a stored change, or the file that was read again, is not in force."""
        self._lock = asyncio.Lock()

    def problems(self) -> list[str]:
        """Return what a person has to lift or to mend."""
        return [*self.state.problems(), *([f"settings: {self.fault}"] if self.fault else [])]

    def section(self) -> dict[str, Any]:
        """Return the part of /status that is about commands."""
        return {
            "control": {
                "socket": self.socket_path,
                "paused": self.state.pause.value,
                "paused_by": self.state.paused_by,
                "paused_since_ms": self.state.paused_ms or None,
                "overrides": dict(self.state.overrides),
                "needs_restart": [difference.key for difference in self._needs_restart],
            }
        }

    def status(self) -> dict[str, Any]:
        """Return the whole of /status."""
        return self._maker.status()

    async def run(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one command, one at a time, and return its result.

        Args:
            name: pause, resume, set or reset.
            body: Its arguments, and `by`: who gives it.

        Raises:
            ConfigError: It can't be carried out; nothing was changed.
        """
        by = _text(body, "by") or "unknown"
        symbol = self.settings.trading.symbol
        if _text(body, "symbol") not in ("", symbol):
            raise ConfigError(f"symbol {body['symbol']}: expected {symbol}, which is traded here")
        _log.warning("command", command=name, by=by, arguments=audited(body))
        async with self._lock:
            try:
                match name:
                    case "pause":
                        result = await self._pause(PauseMode.ALL if body.get("all") else PauseMode.ENTRIES, by)
                    case "resume":
                        result = await self._pause(PauseMode.NONE, by)
                    case "set":
                        result = await self._set(body)
                    case _:
                        result = await self._reset(_text(body, "name"), apply=bool(body.get("apply")))
            except ConfigError as error:
                _log.warning("command refused", command=name, by=by, reason=str(error))
                raise
        _log.warning("command done", command=name, by=by, result=result)
        return result

    async def reload(self) -> None:
        """Read the settings file again and apply what may change of it."""
        async with self._lock:
            await self._reread()

    async def _pause(self, mode: PauseMode, by: str) -> dict[str, Any]:
        before = self.state
        if mode is PauseMode.NONE:
            state = replace(before, pause=mode, paused_by="", paused_ms=0)
        else:
            state = replace(before, pause=mode, paused_by=by, paused_ms=now_ms())
        # A pause is in force even if it can't be stored; lifting one has to be stored first.
        stored = await self._store(state, required=mode is PauseMode.NONE)
        self.state = state
        done = await self._hand_over(PauseChanged(mode))
        return {"paused": mode.value, "was": before.pause.value, "stored": stored, "in_force": done}

    async def _set(self, body: Mapping[str, Any]) -> dict[str, Any]:
        changes = {key: str(value) for key, value in _mapping(body, "changes").items()}
        unset = [str(key) for key in body.get("unset") or ()]
        overrides = {key: value for key, value in self.state.overrides.items() if key not in unset} | changes
        if not changes and not unset:
            values = dict(_live_values(self.settings))
            return {"overrides": overrides, "values": values, "applied": False}
        wanted = self._load(overrides)
        check_live([*changes, *unset])
        wanted = with_live(self.settings, wanted)
        found = differences(self.settings, wanted)
        result = {
            "changes": [{"key": one.key, "before": one.before, "after": one.after} for one in found],
            **self._live.preview(wanted),
            "overrides": overrides,
            "applied": False,
        }
        if not body.get("apply"):
            return result
        state = replace(self.state, overrides=overrides)
        await self._store(state, required=True)
        self.state = state
        await self._put_in_force(wanted)
        return {**result, "applied": True}

    async def _reset(self, name: str, *, apply: bool) -> dict[str, Any]:
        resets = self._maker.engine.operator.resets
        if not name:
            return {"resets": {key: reset.summary for key, reset in resets.items()}, "applied": False}
        if name not in resets:
            known = ", ".join(resets) or "there is none"
            raise ConfigError(f"reset {name}: no such reset; expected one of: {known}")
        result = {"reset": name, "preview": dict(resets[name].preview()), "applied": False}
        if apply:
            if refusal := resets[name].refusal():
                raise ConfigError(refusal)
            result["applied"] = await self._hand_over(ResetRequested(name))
        return result

    async def _reread(self) -> None:
        """Apply what may change of the settings file, and name what needs a restart."""
        try:
            wanted = self._load(self.state.overrides)
            live = with_live(self.settings, wanted)
            self._live.preview(live)
        except ConfigError as error:
            self.fault = f"the file was not taken up, the settings stay as they were: {error}"
            _log.error("settings not taken up", reason=str(error))
            return
        applied = differences(self.settings, live)
        self._needs_restart = differences(live, wanted)
        self.fault = ""
        await self._put_in_force(live)
        _log.warning(
            "settings read again",
            applied={one.key: one.after for one in applied},
            needs_restart=[one.key for one in self._needs_restart],
            overridden=list(self.state.overrides),
        )

    async def _put_in_force(self, settings: MarketMakerSettings) -> None:
        self.settings = settings
        set_level(settings.system.log_level)
        await self._live.apply(settings)

    async def _store(self, state: ControlState, *, required: bool) -> bool:
        try:
            await self._save(state)
        except (SQLAlchemyError, OSError) as error:
            if required:
                raise ConfigError(f"the database did not take it, so nothing was changed: {error}") from None
            _log.error("the pause is in force and not stored; a restart forgets it", reason=str(error))
            return False
        return True

    async def _hand_over(self, event: PauseChanged | ResetRequested) -> bool:
        """Hand an event to the grid; return whether it was taken up in time."""
        try:
            async with asyncio.timeout(APPLY_WITHIN_S):
                await self._maker.handled(event)
        except (TimeoutError, ConfigError):
            return False
        return True


def audited(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a command for the log: the value of a key that is not live may be a secret."""
    arguments = {key: body[key] for key in body if key != "by"}
    changes = arguments.get("changes")
    if isinstance(changes, dict):
        arguments["changes"] = {key: value if key in LIVE_KEYS else MASK for key, value in changes.items()}
    return arguments


def _live_values(settings: MarketMakerSettings) -> Sequence[tuple[str, str]]:
    return [(key, shown(value_of(settings, key))) for key in LIVE_KEYS]


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key) or ""
    if not isinstance(value, str) or len(value) > 200:
        raise ConfigError(f"{key}: expected a short text")
    return value


def _mapping(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = body.get(key) or {}
    if not isinstance(value, dict):
        raise ConfigError(f"{key}: expected keys and values")
    return value
