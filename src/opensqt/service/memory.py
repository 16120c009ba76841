"""Return freed memory to the system.

glibc keeps what was freed for the next allocation. What a flood of calls took stays in pieces between what is still
used, and the next flood, of another kind, takes new memory beside it. Where the allocator is another one, nothing here
has an effect.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Numbers of mallopt's parameters in malloc.h."""
_LARGE_BYTES = 128 * 1024
_EVERY_S = 10.0


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


_libc = _glibc()


def return_large_blocks() -> None:
    """Have each block of 128 KB or more returned when it is freed, for as long as the process runs.

    glibc begins like this, but the first block of many MB that is freed, such as a hostile request, raises the limit to
    its own size for good.
    """
    if _libc is not None:
        _libc.mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        _libc.mallopt(_TRIM_THRESHOLD, _LARGE_BYTES)


def trim() -> None:
    """Return whole pages that are free; takes 2 to 7 ms, during which other threads may wait for an allocation."""
    if _libc is not None:
        _libc.malloc_trim(0)


async def trim_regularly() -> None:
    """Return whole pages that are free every 10 s, until cancelled; the event loop does not wait for it."""
    while True:
        await asyncio.sleep(_EVERY_S)
        await asyncio.to_thread(trim)
