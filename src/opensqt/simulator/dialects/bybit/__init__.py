"""Bybit v5, USDT perpetuals (category linear)."""

from opensqt.simulator.dialects.bybit.dialect import BybitDialect

__all__ = ["BybitDialect"]
