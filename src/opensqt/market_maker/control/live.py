"""Applies changed settings to the running parts, after the safety check has taken them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from opensqt.config.market_maker import MarketMakerSettings
from opensqt.market_maker.alerts.service import Alerts
from opensqt.market_maker.app import grid_requirements
from opensqt.market_maker.control.preview import preview
from opensqt.market_maker.engine_settings import EngineSettings
from opensqt.market_maker.orders.events import GridSettingsChanged
from opensqt.market_maker.risk.safety import check
from opensqt.market_maker.risk.settings import RiskLimits
from opensqt.market_maker.risk_setup import risk_limits
from opensqt.market_maker.service import MarketMaker
from opensqt.model.errors import ConfigError
from opensqt.telemetry.logging import get_logger

_log = get_logger("market_maker.control")


class RunningSettings:
    """The settings of one running market maker.

    Args:
        maker: The grid.
        alerts: Of the process.
        to_engine: Returns the engine's settings of a whole file.
    """

    def __init__(
        self, maker: MarketMaker, alerts: Alerts, to_engine: Callable[[MarketMakerSettings], EngineSettings]
    ) -> None:
        self._maker = maker
        self._alerts = alerts
        self._to_engine = to_engine

    def preview(self, settings: MarketMakerSettings) -> dict[str, Any]:
        """Return the orders that *settings* would cancel and place.

        Raises:
            ConfigError: They break a rule of the safety check that holds now, or the strategy can't plan with them.
        """
        engine = self._maker.engine
        self._check(settings)
        try:
            found = preview(engine, self._change(settings), time.monotonic())
        except ConfigError:
            raise
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            # Nothing is awaited here, so whatever is raised is the strategy's.
            _log.exception("no plan with the new settings", symbol=settings.trading.symbol)
            reason = f"{type(error).__name__}: {error}"
            raise ConfigError(f"{settings.trading.strategy} can't plan with these settings: {reason}") from error
        cancels = sorted(found.cancels, key=lambda order: order.price, reverse=True)
        places = sorted(found.places, key=lambda target: target.price, reverse=True)
        return {
            "cancels": [_order(one.side.value, one.price, one.quantity, one.level) for one in cancels],
            "places": [_order(one.side.value, one.price, one.quantity, one.level) for one in places],
            "notes": list(found.notes),
        }

    async def apply(self, settings: MarketMakerSettings) -> None:
        """Apply *settings*; returns when the grid has them."""
        entry_check = self._maker.engine.risk.entry_check
        if entry_check is not None:
            entry_check.requirements = grid_requirements(settings.trading, entry_check.inputs.price)
        self._alerts.change(settings.alerts)
        await self._maker.handled(self._change(settings))
        self._maker.watch(self._maker.engine.risk.settings.monitor)

    def _change(self, settings: MarketMakerSettings) -> GridSettingsChanged:
        made, risk = self._to_engine(settings), settings.risk_control
        return GridSettingsChanged(
            grid=made.grid,
            reconcile_interval_s=made.reconcile_interval_s,
            margin_lock_s=made.margin_lock_s,
            price_max_age_s=made.price_max_age_s,
            price_range=made.price_range,
            reference=made.reference,
            triggers=made.triggers,
            limits=risk_limits(risk) if risk.enabled else RiskLimits(),
        )

    def _check(self, settings: MarketMakerSettings) -> None:
        engine = self._maker.engine
        entry_check = engine.risk.entry_check
        if entry_check is None:
            return
        running, wanted = entry_check.requirements, grid_requirements(settings.trading, entry_check.inputs.price)
        broken = {rule.name for rule in check(entry_check.inputs, running, engine.rules) if not rule.passed}
        for rule in check(entry_check.inputs, wanted, engine.rules):
            if not rule.passed and rule.name not in broken:
                raise ConfigError(f"the safety check would break: {rule.name}: {rule.detail}")


def _order(side: str, price: Any, quantity: Any, level: int) -> dict[str, Any]:
    return {"side": side, "price": f"{price.normalize():f}", "quantity": f"{quantity.normalize():f}", "level": level}
