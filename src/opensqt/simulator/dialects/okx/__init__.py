"""OKX USDT-margined perpetual swaps: API v5, as https://www.okx.com/docs-v5 tells it."""

from opensqt.simulator.dialects.okx.dialect import OkxDialect

__all__ = ["OkxDialect"]
