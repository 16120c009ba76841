"""Watch the order book, the public trades and the mark price of a symbol, and print them side by side.

    exchange-connector --exchange okx --simulated --public-only    # in one terminal: no key, no network, no money
    python examples/market_data.py --seconds 10                    # in another

A book that is not valid has no levels: nothing is computed from it until the exchange's next snapshot has come.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
from decimal import Decimal

import opensqt
from opensqt import OrderBook, Side


class Watch:
    """The newest of each, as three tasks keep it up."""

    def __init__(self, exchange: opensqt.Exchange, symbol: str) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self.book: OrderBook | None = None
        self.mark: opensqt.MarkPrice | None = None
        self.bought = self.sold = Decimal(0)
        self.gaps = 0

    async def read_books(self) -> None:
        async with self._exchange.subscribe_order_book(self._symbol, 10) as books:
            async for batch in books:
                self.book = batch.updates[-1] if batch.updates else self.book

    async def read_trades(self) -> None:
        async with self._exchange.subscribe_trades(self._symbol) as trades:
            await anext(trades)  # the snapshot: trades that were made before
            async for batch in trades:
                self.gaps += batch.gap
                for trade in batch.updates:
                    if trade.side is Side.BUY:
                        self.bought += trade.quantity
                    else:
                        self.sold += trade.quantity

    async def read_marks(self) -> None:
        async with self._exchange.subscribe_mark_price(self._symbol) as marks:
            async for batch in marks:
                self.mark = batch.updates[-1] if batch.updates else self.mark

    def line(self) -> str:
        """Return what is known now."""
        if self.book is None or self.mark is None:
            return "waiting for the first snapshots"
        if not self.book.valid:
            return f"the book is not valid: {self.book.invalid_reason}"
        bids, asks = (sum(quantity for _price, quantity in side) for side in (self.book.bids, self.book.asks))
        spread = self.book.asks[0][0] - self.book.bids[0][0]
        funding = datetime.datetime.fromtimestamp(self.mark.next_funding_ms / 1000, datetime.UTC)
        return (
            f"spread {spread}, ten levels {bids} to {asks}, taken: bought {self.bought}, sold {self.sold},"
            f" mark {self.mark.mark}, funding {self.mark.funding_rate} at {funding:%H:%M}"
        )


async def main(arguments: argparse.Namespace) -> None:
    async with opensqt.connect(arguments.address, name="example-market-data") as exchange:
        able = (await exchange.get_exchange_info()).capabilities
        if not (able.order_book_depth and able.public_trades and able.mark_price):
            raise SystemExit("this exchange has no streams of public data")
        watch = Watch(exchange, arguments.symbol)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(arguments.seconds), asyncio.TaskGroup() as group:
                for work in (watch.read_books(), watch.read_trades(), watch.read_marks()):
                    group.create_task(work)
                while True:
                    await asyncio.sleep(1)
                    print(watch.line(), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="localhost:50051", help="HOST:PORT of the connector")
    parser.add_argument("--symbol", default="BTCUSDT")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to watch")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args()))
