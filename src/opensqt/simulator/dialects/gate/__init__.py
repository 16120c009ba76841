"""Gate API v4, USDT-settled perpetual futures."""

from opensqt.simulator.dialects.gate.dialect import Gate

__all__ = ["Gate"]
