"""The rate limit of the account: windows, request weights, a fair queue, one limiter."""
