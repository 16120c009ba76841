"""OKX USDT-margined swaps: the differences from the shared base."""
