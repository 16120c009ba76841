"""Measures what a frame costs; nothing here is a test. `python -m benchmarks --help`."""
