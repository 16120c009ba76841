"""The commands of a person to several grids of one process: to the one that is named, or to all where that is safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from opensqt.market_maker.control.commands import ControlCommands
from opensqt.market_maker.orders.events import PauseMode
from opensqt.market_maker.store.control_state import load_control, save_control
from opensqt.market_maker.store.store import Store
from opensqt.model.clock import now_ms
from opensqt.model.errors import ConfigError
from opensqt.telemetry.logging import get_logger, redact

_log = get_logger("market_maker.control")

FOR_ALL = ("pause", "resume")
"""The commands that go to every grid when none is named."""


class SeveralCommands:
    """Hands each command to its grid. One that does not trade now is paused in the database: its next start reads it.

    Args:
        symbols: In the order of the settings.
        store: Holds the grids' locks.
        status: Returns the whole of /status.
        reason: Returns why a grid does not trade.
        reload: Reads the settings of the grids again that do not trade.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        store: Store,
        *,
        status: Callable[[], dict[str, Any]],
        reason: Callable[[str], str],
        reload: Callable[[], None],
    ) -> None:
        self.grids: dict[str, ControlCommands] = {}
        """Those of the grids that trade."""
        self.socket_path = ""
        self._symbols = tuple(symbols)
        self._store = store
        self._status = status
        self._reason = reason
        self._reload_others = reload

    def status(self) -> dict[str, Any]:
        """Return the whole of /status."""
        return self._status()

    async def run(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a command; one for all grids returns their results by symbol.

        Raises:
            ConfigError: It can't be carried out. What was done for other symbols stays.
        """
        symbol = str(body.get("symbol") or "")
        if symbol:
            if symbol not in self._symbols:
                raise ConfigError(f"symbol {symbol}: expected one of {', '.join(self._symbols)}")
            return await self._run(symbol, name, body)
        if name not in FOR_ALL:
            raise ConfigError(f"{name}: several symbols trade here; name one of them with --symbol: {self._list}")
        found, refused = {}, {}
        for each in self._symbols:
            try:
                found[each] = await self._run(each, name, {**body, "symbol": each})
            except ConfigError as error:
                refused[each] = str(error)
        if refused:
            done = f"; done for {', '.join(found)}" if found else ""
            raise ConfigError("; ".join(f"{each}: {text}" for each, text in refused.items()) + done)
        return {"symbols": found}

    @property
    def _list(self) -> str:
        return ", ".join(self._symbols)

    async def _run(self, symbol: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if symbol not in self.grids:
            if name not in FOR_ALL:
                raise ConfigError(f"{name}: {symbol} does not trade now: {self._reason(symbol)}")
            result = await self._store_pause(symbol, name, body)
            if symbol not in self.grids:
                return result
        # It trades, or has begun to while the pause was stored.
        return await self.grids[symbol].run(name, body)

    async def _store_pause(self, symbol: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        by = str(body.get("by") or "unknown")
        mode = PauseMode.NONE if name == "resume" else PauseMode.ALL if body.get("all") else PauseMode.ENTRIES
        try:
            before = await load_control(self._store, symbol)
            paused = mode is not PauseMode.NONE
            state = replace(before, pause=mode, paused_by=by if paused else "", paused_ms=now_ms() if paused else 0)
            await save_control(self._store, symbol, state)
        except (SQLAlchemyError, OSError) as error:
            raise ConfigError(f"the database did not take it, so nothing was changed: {error}") from None
        _log.warning("command done for a grid that does not trade", command=name, symbol=symbol, by=by)
        return {"paused": mode.value, "was": before.pause.value, "stored": True, "in_force": True}

    async def reload(self) -> None:
        """Read the settings file again: of the grids that trade, and then of the others."""
        for symbol, commands in list(self.grids.items()):
            try:
                await commands.reload()
            except Exception as error:  # noqa: BLE001 - the others read theirs all the same
                commands.fault = redact(f"the file was not taken up: unexpected {type(error).__name__}: {error}")
                _log.error("settings not taken up", symbol=symbol, reason=commands.fault)
        self._reload_others()
