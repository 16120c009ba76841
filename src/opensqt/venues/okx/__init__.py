"""OKX USDT-margined swaps: only what differs from the shared base."""
