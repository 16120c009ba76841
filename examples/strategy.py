"""Rest one order below the market, take its fill or cancel it, and leave nothing behind.

    exchange-connector --exchange binance --simulated      # in one terminal: no key, no network, no money
    python examples/strategy.py                            # in another; Ctrl-C ends it cleanly

It is small, but it has what a strategy needs that runs unattended: orders that happen at most once, a stream of fills
that marks its gaps, a lease in case this process dies, and a stop that cancels what is open.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from decimal import Decimal

import opensqt
from opensqt import Order, OrderRef, OrderRequest, OrderType, Side, errors


async def main(arguments: argparse.Namespace) -> None:
    async with opensqt.connect(arguments.address, name="example-strategy") as exchange:
        rules = (await exchange.get_exchange_info()).rules(arguments.symbol)
        if rules is None:
            raise SystemExit(f"{arguments.symbol} is not traded here")
        # If this process dies, the connector cancels its orders thirty seconds later, and those of no other client.
        async with exchange.lease(ttl_s=30):
            request = await wanted(exchange, rules, arguments.ticks)
            order = await rest(exchange, request, arguments.seconds)
            print(f"{order.status}: {order.filled_quantity} of {order.quantity} at {order.average_price}")
            if order.filled_quantity:
                await close(exchange, order)


async def wanted(exchange: opensqt.Exchange, rules: opensqt.SymbolRules, ticks: int) -> OrderRequest:
    """Return the smallest buy that the venue accepts, some ticks below the best bid."""
    bid = (await exchange.get_latest_price(rules.symbol)).bid
    price = rules.round_price(bid - ticks * rules.price_step)
    steps = (max(rules.min_quantity, rules.min_notional / price) / rules.quantity_step).to_integral_value("ROUND_UP")
    return OrderRequest(
        symbol=rules.symbol,
        side=Side.BUY,
        quantity=steps * rules.quantity_step,
        price=price,
        client_order_id=opensqt.new_client_order_id("demo"),
    )


async def rest(exchange: opensqt.Exchange, request: OrderRequest, seconds: float) -> Order:
    """Place an order and watch it for a while; it is closed when this returns or raises."""
    ref = OrderRef(symbol=request.symbol, client_order_id=request.client_order_id)
    async with exchange.subscribe_orders(request.symbol) as updates:
        await anext(updates)  # subscribed before the order is sent: its first fill can't be missed
        try:
            order = await place(exchange, request)
        except BaseException:
            with contextlib.suppress(errors.RequestError):  # refused: nothing rests
                await cancel(exchange, ref)  # interrupted while it was sent: it may rest all the same
            raise
        print(f"resting: buy {order.quantity} {order.symbol} at {order.price}")
        try:
            async with asyncio.timeout(seconds):
                while not order.status.is_closed:
                    order = await next_state(exchange, updates, ref, order)
        except TimeoutError:
            print("not filled in time")
        finally:
            if not order.status.is_closed:
                order = await cancel(exchange, ref)
        return order


async def place(exchange: opensqt.Exchange, request: OrderRequest) -> Order:
    """Place an order once, however often the response is lost: the same id again returns the first outcome."""
    while True:
        try:
            return await exchange.place_order(request)
        except errors.OutcomeUnknown as error:
            print(f"sending it again under the same id: {error}", file=sys.stderr)
        except errors.BackOff as error:
            await asyncio.sleep(error.retry_after_s or 1)


async def next_state(
    exchange: opensqt.Exchange, updates: opensqt.Stream[opensqt.OrderUpdate], ref: OrderRef, order: Order
) -> Order:
    """Wait for the next batch and return the order's state after it."""
    batch = await anext(updates)
    if batch.gap:
        return await ask(exchange, ref)  # something may have been missed, so the venue is queried
    for update in batch.updates:
        if update.order.client_order_id == ref.client_order_id:
            order = update.order
            if update.fill is not None:
                print(f"filled: {update.fill.quantity} at {update.fill.price}, fee {update.fill.fee}")
    return order


async def ask(exchange: opensqt.Exchange, ref: OrderRef) -> Order:
    """Query an order until the venue shows it: an accepted one may be hidden from queries for a moment."""
    while True:
        order = await exchange.get_order(ref)
        if not order.status.is_in_flight:
            return order
        await asyncio.sleep(0.5)


async def cancel(exchange: opensqt.Exchange, ref: OrderRef) -> Order:
    """Cancel an order and return it; if a fill was faster, the order is FILLED."""
    while True:
        try:
            return await exchange.cancel_order(ref)
        except (errors.OutcomeUnknown, errors.Unreachable, errors.BackOff) as error:
            print(f"cancelling again: {error}", file=sys.stderr)
            await asyncio.sleep(error.retry_after_s or 1)


async def close(exchange: opensqt.Exchange, filled: Order) -> None:
    """Sell what was bought. Reduce-only, so that it can never open a position the other way."""
    request = OrderRequest(
        symbol=filled.symbol,
        side=Side.SELL,
        quantity=filled.filled_quantity,
        order_type=OrderType.MARKET,
        reduce_only=True,
        client_order_id=opensqt.new_client_order_id("demo"),
    )
    order = await place(exchange, request)
    ref = OrderRef(symbol=order.symbol, client_order_id=order.client_order_id)
    while not order.status.is_closed:
        await asyncio.sleep(0.2)
        order = await exchange.get_order(ref)
    bought = filled.average_price or Decimal(0)
    profit = ((order.average_price or bought) - bought) * order.filled_quantity
    print(f"closed: sold {order.filled_quantity} at {order.average_price}, {profit:+f} before fees")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Rest one order below the market, and leave nothing behind.")
    parser.add_argument("--address", help="the connector (EXCHANGE_GRPC_ADDRESS, else localhost:50051)")
    parser.add_argument("--symbol", default="BTCUSDT")
    parser.add_argument("--ticks", type=int, default=50, help="distance below the best bid")
    parser.add_argument("--seconds", type=float, default=30, help="seconds to wait for a fill")
    try:
        asyncio.run(main(parser.parse_args()))
    except KeyboardInterrupt:
        sys.exit("stopped; the order was canceled")
    except (opensqt.ConfigError, errors.ExchangeError) as error:
        sys.exit(f"error: {error}")
