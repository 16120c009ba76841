"""What a test asks of a venue's SDK, whichever it is; answers are the venue's own, as dictionaries."""

from __future__ import annotations

import queue
from typing import Any, Protocol

from tests.support.blocking import in_thread

Answer = dict[str, Any]


class Sdk(Protocol):
    """An SDK's client: its calls are made in threads with a deadline. An order is of 0.010 BTC, a buy by default."""

    refused: Any
    """The exception of a refusal, or several."""

    async def place(self, price: Any = None, *, side: str = "buy", name: str = "") -> Answer:
        """A limit order, or a market order without a price."""

    async def find(self, order_id: Any) -> Answer: ...

    async def open_orders(self) -> list[Answer]: ...

    async def cancel(self, name: str) -> Answer: ...

    async def closed(self, order_id: Any) -> Answer: ...

    async def place_batch(self, price: Any) -> list[Answer]:
        """Three orders, of which the venue refuses the second."""

    async def cancel_batch(self, order_ids: list[Any]) -> list[Answer]: ...

    async def account(self) -> Answer: ...

    async def set_leverage(self) -> Answer:
        """Set it to 5; the answer is where it is read."""

    async def positions(self) -> list[Answer]: ...

    async def fills(self) -> list[Answer]: ...

    async def candles(self, limit: int) -> list[Any]: ...

    async def symbols(self) -> set[str]: ...

    async def cancel_unknown(self) -> None: ...

    def refusal(self, error: Any) -> tuple[Any, ...]:
        """What the SDK says of a refusal: the status of HTTP where it tells, and the venue's code."""

    def close(self) -> None: ...


async def heard_from(heard: queue.Queue[Any]) -> Any:
    """The next message of an SDK's own thread."""
    return await in_thread(heard.get, timeout=25)
