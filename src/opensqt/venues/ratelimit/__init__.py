"""Rate limits of an account: windows, request costs, a fair queue, and the limiter that combines them."""
