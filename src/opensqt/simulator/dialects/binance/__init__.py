"""Binance USDT-margined futures."""

from opensqt.simulator.dialects.binance.dialect import BinanceDialect

__all__ = ["BinanceDialect"]
