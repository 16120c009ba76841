"""What is looked at while a connector soaks: its memory, tasks and descriptors, and what its clients wait."""

from __future__ import annotations

import re
import statistics
from pathlib import Path

import aiohttp

from benchmarks.measure import percentile
from benchmarks.process import descriptors, resident_mb
from benchmarks.soak.slope import Allowance

SERIES: dict[str, tuple[str, Allowance]] = {
    # Half of what a connector may grow in a day; less can't be distinguished
    # from the steps of the allocator in ten minutes.
    "memory": ("MB", Allowance(5.0)),
    "tasks": ("tasks", Allowance(10)),
    "descriptors": ("files", Allowance(10)),
    # A process that shares its processor is slower at times; one that leaks what it searches gets slower for ever.
    "read p50": ("ms", Allowance(0.5, share=0.5)),
    "order p50": ("ms", Allowance(1.0, share=0.5)),
    "update p50": ("ms", Allowance(0.5, share=0.5)),
}
"""What is judged, and how much it may grow. The 99th percentiles are shown, but one hiccup moves them."""

_TASKS = re.compile(r"^connector_asyncio_tasks ([\d.e+]+)$", re.MULTILINE)
_PAGE = re.compile(r'"metrics": ?"([\d.]+:\d+)"')


class Watch:
    """Samples one connector process.

    Args:
        pid: The process.
        log: Its log, which says where the metrics are.
    """

    def __init__(self, pid: int, log: Path) -> None:
        self._pid = pid
        page = _PAGE.search(log.read_text())
        if page is None:
            raise RuntimeError(f"the connector's log does not say where its metrics are: {log}")
        self._page = f"http://{page[1]}/metrics"

    async def sample(self, late_ms: dict[str, list[float]]) -> dict[str, float]:
        """Look once; *late_ms* is what clients waited since the last time."""
        sample = {
            "memory": resident_mb(self._pid),
            "tasks": await self._tasks(),
            "descriptors": float(descriptors(self._pid)),
        }
        for name, values in late_ms.items():
            sample[f"{name} p50"] = statistics.median(values)
            sample[f"{name} p99"] = percentile(values, 0.99)
        return sample

    async def _tasks(self) -> float:
        async with aiohttp.ClientSession() as session, session.get(self._page) as answer:
            text = await answer.text()
        found = _TASKS.search(text)
        if found is None:
            raise RuntimeError(f"the connector's metrics do not say how many tasks it has: {text[:100]}")
        return float(found[1])
