"""Runs every behaviour over every subject, and skips by declared capability."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from opensqt.model.account import PositionMode
from opensqt.model.venue import Capabilities
from tests.contract.bench import Bench
from tests.contract.subjects import SUBJECTS
from tests.contract.table import SUBJECT

Need = Callable[[Capabilities], bool]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(what, predicate): skip where the declared capabilities lack it")
    config.addinivalue_line("markers", "hedge: open the exchange in hedge mode")


@pytest.fixture(params=SUBJECTS)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    subject = SUBJECTS[request.param]
    request.node.user_properties.append((SUBJECT, request.param))
    mode = PositionMode.HEDGE if request.node.get_closest_marker("hedge") else PositionMode.ONE_WAY
    async with AsyncExitStack() as stack:
        exchange, market = await stack.enter_async_context(subject.open(mode))
        stack.push_async_callback(exchange.close)
        await exchange.start()
        info = await exchange.get_exchange_info()
        able = info.capabilities
        if mode not in able.position_modes:
            pytest.skip(f"capability: {request.param} declares no {mode} mode")
        for marker in request.node.iter_markers("needs"):
            what, has = marker.args
            if not has(able):
                pytest.skip(f"capability: {request.param} declares no {what}")
        yield Bench(exchange, market, info, subject.idempotent)
