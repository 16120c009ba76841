"""The strategy: pure functions from market and inventory to target orders."""
