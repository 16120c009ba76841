"""Bybit USDT perpetuals: only what differs from the shared base."""
