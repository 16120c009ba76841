"""Bitget USDT-margined futures (v2 mix API)."""

from opensqt.simulator.dialects.bitget.dialect import BitgetDialect

__all__ = ["BitgetDialect"]
