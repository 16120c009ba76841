"""A connector under a mixed load for as long as one likes; a slope that is not flat fails it."""
