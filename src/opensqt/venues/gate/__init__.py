"""Gate USDT-settled perpetuals: the differences from the shared base."""
