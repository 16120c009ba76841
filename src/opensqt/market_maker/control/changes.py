"""Changes of settings while the grid runs: which keys may change, and what differs between two files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretStr

from opensqt.config.market_maker import MarketMakerSettings
from opensqt.model.errors import ConfigError

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
    "system.log_level",
    "alerts.after_seconds",
    "alerts.repeat_seconds",
    "alerts.per_problem_per_hour",
    "alerts.per_hour",
    "alerts.daily_summary_at",
)
"""The keys that may change while it runs; any other needs a restart."""


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
        Difference(key, _shown(old.get(key)), _shown(new.get(key)))
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
            raise ConfigError(
                f"{key}: can't change while it runs; change the settings file and restart."
                f" These can: {', '.join(LIVE_KEYS)}"
            )


def with_live(running: MarketMakerSettings, wanted: MarketMakerSettings) -> MarketMakerSettings:
    """Return the running settings with what may change taken from the wanted ones."""
    result = running
    for key in LIVE_KEYS:
        section, name = key.split(".")
        value = getattr(getattr(wanted, section), name)
        result = result.model_copy(
            update={section: getattr(result, section).model_copy(update={name: value})},
        )
    return result


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


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    return "" if value is None else str(value)
