"""Binance USDT-margined futures."""

from opensqt.simulator.dialects.binance.dialect import Binance

__all__ = ["Binance"]
