"""Bybit v5, USDT perpetuals (category linear)."""

from opensqt.simulator.dialects.bybit.dialect import Bybit

__all__ = ["Bybit"]
