"""Binance USDT-margined perpetuals: only what differs from the shared base."""
