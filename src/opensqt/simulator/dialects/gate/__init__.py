"""Gate API v4, USDT-settled perpetual futures."""

from opensqt.simulator.dialects.gate.dialect import GateDialect

__all__ = ["GateDialect"]
