"""Bybit USDT perpetuals: the differences from the shared base."""
