"""Changes of settings while the grid runs: which keys may change, and what differs between two files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr

from opensqt.config.market_maker import MarketMakerSettings, PriceGuardSettings
from opensqt.config.risk import RiskSettings
from opensqt.model.errors import ConfigError

M = TypeVar("M", bound=BaseModel)


def paths(section: type[BaseModel]) -> Iterator[str]:
    """Return the dotted keys of a section."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{name}.{below}" for below in paths(field.annotation))
        else:
            yield name


_PRICE_GUARD = tuple(f"trading.price_guard.{name}" for name in PriceGuardSettings.model_fields)
_RISK = tuple(f"risk_control.{name}" for name in paths(RiskSettings))

LIVE_KEYS = (
    "trading.order_quantity",
    "trading.lowest_price",
    "trading.highest_price",
    "trading.inventory_skew_factor",
    "trading.funding_skew_factor",
    "trading.min_order_value",
    "trading.buy_window_size",
    "trading.sell_window_size",
    "trading.order_cleanup_threshold",
    "trading.cleanup_batch_size",
    "trading.reconcile_interval",
    "trading.margin_lock_duration_seconds",
    "trading.price_max_age_seconds",
    "trading.position_safety_check",
    "trading.price_floor",
    "trading.price_ceiling",
    "trading.min_spread",
    *_PRICE_GUARD,
    "trading.start_price",
    "trading.stop_below",
    "trading.stop_above",
    "trading.take_profit",
    "trading.stop_loss",
    "trading.stop_closes",
    *_RISK,
    "system.log_level",
    "alerts.after_seconds",
    "alerts.repeat_seconds",
    "alerts.per_problem_per_hour",
    "alerts.per_hour",
    "alerts.daily_summary_at",
)
"""The keys that may change while it runs; any other needs a restart."""

_LEVELS = "what is held and every open order belong to a level, which this would move or turn"
_CANDLES = "its candles are read from the start on"
RESTART_REASONS = {
    "trading.symbol": "orders, levels and history in the database are this symbol's",
    "trading.strategy_id": "the ids of the open orders begin with it",
    "trading.strategy": _LEVELS,
    "trading.glft": _LEVELS,
    "trading.grid_": _LEVELS,
    "trading.price_interval": _LEVELS,
    "trading.order_quantity_in": "order_quantity means something else with it, so both have to change at once",
    "trading.dynamic_interval": _CANDLES,
    "trading.volatility_": _CANDLES,
    "app.": "the connection and the database are opened at the start",
    "exchanges.": "the connection is opened at the start",
    "telemetry.": "the port is opened at the start",
    "system.": "it is used at the start",
    "alerts.": "the targets are opened at the start",
}
"""By the beginning of a key: why it can't change while the grid runs."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One key whose value changes."""

    key: str
    before: str
    after: str

    @property
    def live(self) -> bool:
        """Whether it may change while the grid runs."""
        return self.key in LIVE_KEYS


def differences(before: MarketMakerSettings, after: MarketMakerSettings) -> list[Difference]:
    """Return the keys whose values differ; secrets are not shown."""
    old, new = dict(_flat(before)), dict(_flat(after))
    return [
        Difference(key, shown(old.get(key)), shown(new.get(key)))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def parse_change(text: str) -> tuple[str, str]:
    """Return key and value of `KEY=VALUE`.

    Raises:
        ConfigError: It is none, or the key can't change while the grid runs.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"{text!r}: expected KEY=VALUE, such as trading.order_quantity=40")
    return key.strip(), value.strip()


def check_live(keys: Iterable[str]) -> None:
    """Refuse keys that need a restart.

    Raises:
        ConfigError: Naming the first of them, and the keys that may change.
    """
    for key in keys:
        if key not in LIVE_KEYS:
            why = next((f": {why}" for begin, why in RESTART_REASONS.items() if key.startswith(begin)), "")
            raise ConfigError(
                f"{key}: can't change while it runs{why}; change the settings file and restart."
                f" These can: {', '.join(LIVE_KEYS)}"
            )


def with_live(running: MarketMakerSettings, wanted: MarketMakerSettings) -> MarketMakerSettings:
    """Return the running settings with what may change taken from the wanted ones."""
    result = running
    for key in LIVE_KEYS:
        result = _with(result, key.split("."), value_of(wanted, key))
    return result


def value_of(settings: BaseModel, key: str) -> Any:
    """Return the value of a dotted key."""
    value: Any = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def _with(settings: M, names: Sequence[str], value: Any) -> M:
    if len(names) > 1:
        value = _with(getattr(settings, names[0]), names[1:], value)
    return settings.model_copy(update={names[0]: value})


def _flat(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value, key = getattr(model, name), f"{prefix}{name}"
        if isinstance(value, BaseModel):
            yield from _flat(value, f"{key}.")
        elif isinstance(value, dict):
            for item, below in value.items():
                if isinstance(below, BaseModel):
                    yield from _flat(below, f"{key}.{item}.")
                else:
                    yield f"{key}.{item}", below
        else:
            yield key, value


def shown(value: Any) -> str:
    """Return a value as text, without secrets."""
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return "null" if value is None else str(value)
