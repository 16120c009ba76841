"""Gate USDT-settled perpetuals: only what differs from the shared base."""
