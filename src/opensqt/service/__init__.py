"""Shared by all programs: start and end, signals, listening, metrics, back-off, token bucket."""
