"""Gate's unified account: its modes, and the responses that differ from those of a classic account.

https://www.gate.com/docs/developers/apiv4/en/#get-unified-account-information
"""

from __future__ import annotations

from typing import Any

from opensqt.simulator.dialects import decimals
from opensqt.simulator.engine.events import BalanceView

CLASSIC, _SINGLE_CURRENCY = "classic", "single_currency"
MARGIN_MODES = {CLASSIC: 0, "multi_currency": 1, "portfolio": 2, _SINGLE_CURRENCY: 3}
"""The numbers of the modes in the futures account."""
_ZERO = "0"


def futures_account(row: dict[str, Any], mode: str) -> dict[str, Any]:
    """Write the futures account of an account in *mode*: that of a unified account has profits, and no balance."""
    row = row | {"margin_mode": MARGIN_MODES[mode], "margin_mode_name": mode}
    return row if mode == CLASSIC else row | {"total": _ZERO, "cross_margin_balance": _ZERO}


def account(balance: BalanceView, user: int, mode: str, time_ms: int) -> dict[str, Any]:
    """Write the unified account. Only in single-currency mode an asset has a margin of its own, and that is USDT."""
    single = mode == _SINGLE_CURRENCY
    equity, available = decimals.rounded(balance.margin_balance), decimals.rounded(balance.available_balance)
    initial, maintenance = decimals.rounded(balance.initial_margin), decimals.rounded(balance.maintenance_margin)
    usdt = _asset(equity) | {"cross_balance": _ZERO if mode == "portfolio" else decimals.exact(balance.wallet_balance)}
    if single:
        usdt |= {"im": initial, "mm": maintenance, "margin_balance": equity, "available_margin": available}
    balances = {balance.asset: usdt}
    if balance.collateral:
        balances["BTC"] = _asset(decimals.rounded(balance.collateral))
    total = decimals.rounded(balance.total_margin_balance)
    return {
        "mode": mode,
        "user_id": user,
        "refresh_time": time_ms // 1000,
        "locked": False,
        "balances": balances,
        "total": total,
        "borrowed": _ZERO,
        "total_initial_margin": _ZERO if single else initial,
        "total_margin_balance": _ZERO if single else total,
        "total_maintenance_margin": _ZERO if single else maintenance,
        "total_initial_margin_rate": _ZERO,
        "total_maintenance_margin_rate": _ZERO,
        "total_available_margin": _ZERO if single else available,
        "unified_account_total": total,
        "unified_account_total_liab": _ZERO,
        "unified_account_total_equity": total,
        "leverage": "1",
        "spot_order_loss": _ZERO,
        "options_order_loss": _ZERO,
        "spot_hedge": False,
        "use_funding": False,
        "is_all_collateral": True,
    }


def _asset(equity: str) -> dict[str, Any]:
    names = ("freeze", "borrowed", "negative_liab", "futures_pos_liab", "total_freeze", "total_liab", "spot_in_use")
    more = ("funding", "funding_version", "cross_balance", "iso_balance", "im", "mm", "imr", "mmr", "margin_balance")
    return {
        "available": equity,
        **dict.fromkeys((*names, *more, "available_margin"), _ZERO),
        "equity": equity,
        "enabled_collateral": True,
    }
