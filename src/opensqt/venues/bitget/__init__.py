"""Bitget USDT-margined perpetuals: the differences from the shared base."""
