"""What the market maker's unit tests share."""

from __future__ import annotations

import logging

import pytest
import structlog


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Keep thousands of refused orders of a property test out of the output of one that fails."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
