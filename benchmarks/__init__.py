"""Measures what a frame and what a call cost; nothing here is a test. `python -m benchmarks --help`."""
