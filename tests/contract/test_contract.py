"""The contract suite, on every subject of conftest.py."""

from opensqt.testing.contract import *  # noqa: F403
