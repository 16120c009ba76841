"""What the risk controls report: their problems, and their section of /status."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from opensqt.market_maker.risk.controls import RiskControls

_TO_DO = {
    "circuit_breaker": "it closes by itself after its cool-down, or with `opensqt reset --breaker`",
    "risk_monitor": "it ends by itself when the watched symbols have recovered",
}


def problems(risk: RiskControls) -> list[str]:
    """Return the reasons why there are no entries, each with what ends it; empty when there may be some."""
    found = []
    for rule, reason in risk.triggered().items():
        what = f"; {_TO_DO[rule]}" if rule in _TO_DO else ""
        found.append(f"exits only: {'' if rule == 'safety_check' else rule.replace('_', ' ') + ': '}{reason}{what}")
    return found


def active(risk: RiskControls) -> dict[str, bool]:
    """Return by rule whether it stops or limits entries now."""
    triggered = risk.triggered()
    rules = ("safety_check", "circuit_breaker", "risk_monitor", "daily_loss", "peak_loss")
    limited = any(each.reason for each in risk.allowances.values())
    return {rule: rule in triggered for rule in rules} | {"exposure": limited}


def status(risk: RiskControls) -> dict[str, Any]:
    """Return the controls as JSON, amounts as strings."""
    check, losses, breaker, monitor = risk.entry_check, risk.losses, risk.breaker, risk.monitor
    reasons = risk.triggered()
    reached = {side.value: each.reason for side, each in risk.allowances.items() if each.reason}
    return {
        "entries": "STOPPED" if reasons else "LIMITED" if reached else "ALLOWED",
        "reasons": reasons,
        "limited": reached,
        "leverage": None if check is None else _text(check.inputs.leverage),
        "margin_mode": None if check is None else check.inputs.margin_mode.value,
        "wallet": _text(risk.account.wallet),
        "other_positions": _text(risk.account.others),
        "other_entries": _text(risk.account.other_entries),
        "equity": _text(losses.equity),
        "equity_day_start": _text(losses.day_start),
        "equity_peak": _text(losses.peak),
        "breaker": {
            "open": breaker.is_open,
            "open_until_ms": breaker.open_until_ms if breaker.is_open else None,
            "losses_in_a_row": breaker.losses,
            "trips": breaker.trips,
        },
        "reduction": risk.reduce.reason,
        "monitor": {
            "symbols": {name: ("ALARM" if each.alarm else "NORMAL") for name, each in monitor.watched.items()},
            "left_out": dict(monitor.missing),
        },
    }


def _text(number: Decimal | None) -> str | None:
    if number is None:
        return None
    text = format(round(number, 8), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
