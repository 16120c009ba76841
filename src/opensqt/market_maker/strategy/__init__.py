"""What is wanted: pure functions from market and inventory to quotes."""
