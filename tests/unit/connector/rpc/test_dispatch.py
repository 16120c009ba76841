"""A stream that is ended from outside tells why; one that its client leaves just ends."""

from __future__ import annotations

import asyncio

import pytest

from opensqt.connector.auth.clients import Credential
from opensqt.connector.rpc.dispatch import OpenStream
from opensqt.model.errors import TokenRefused


async def opened(streams: set[OpenStream]) -> None:
    with OpenStream("SubscribePrice", "page", Credential(), "", "ipv4:127.0.0.1:1").among(streams):
        await asyncio.get_running_loop().create_future()


async def started() -> tuple[asyncio.Task[None], set[OpenStream]]:
    streams: set[OpenStream] = set()
    task = asyncio.create_task(opened(streams))
    await asyncio.sleep(0)
    return task, streams


async def test_who_is_let_in_no_more_is_told_so() -> None:
    task, streams = await started()
    next(iter(streams)).end(TokenRefused("revoked"))
    with pytest.raises(TokenRefused, match="revoked"):
        await task
    assert streams == set()


async def test_who_leaves_is_gone() -> None:
    task, streams = await started()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert streams == set()


async def test_who_leaves_at_the_same_instant_is_gone_all_the_same() -> None:
    """F26: a cancellation that is not ours is never swallowed."""
    task, streams = await started()
    next(iter(streams)).end(TokenRefused("revoked"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
