"""Bitget USDT-margined futures (v2 mix API)."""

from opensqt.simulator.dialects.bitget.dialect import Bitget

__all__ = ["Bitget"]
