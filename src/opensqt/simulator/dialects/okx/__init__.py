"""OKX USDT-margined perpetual swaps: API v5, as documented at https://www.okx.com/docs-v5."""

from opensqt.simulator.dialects.okx.dialect import OkxDialect

__all__ = ["OkxDialect"]
