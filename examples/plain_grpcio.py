"""Trade through the connector with grpcio and the generated stubs alone, as a program in any other language would.

    exchange-connector --exchange binance --simulated      # in one terminal: no key, no network, no money
    python examples/plain_grpcio.py                        # in another

The stubs come from proto/; in Python they are in `opensqt.proto`. What to copy into your own language: the token as
metadata, one client_order_id for one intent however often it is sent, and a stream that is resumed at its position.
With TLS and a token: --ca ca.pem, and CONNECTOR_TOKEN in the environment.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Callable, Generator, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub

DEADLINE_S = 10
ASK_AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED)
"""Status codes of an unknown outcome. The same id makes it safe to send the call again."""
Metadata = list[tuple[str, str]]


def open_channel(address: str, ca: Path | None) -> grpc.Channel:
    # Without these a connection that died silently would be noticed only after minutes.
    options = [("grpc.keepalive_time_ms", 10_000), ("grpc.http2.ping_timeout_ms", 5_000)]
    if ca is None:
        return grpc.insecure_channel(address, options)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(ca.read_bytes()), options)


def until_proven(method: Callable[..., Any], request: Any, metadata: Metadata) -> Any:
    """Call with the very same request until its outcome is known: the connector executes an id at most once."""
    for attempt in range(10):
        try:
            return method(request, timeout=DEADLINE_S, metadata=metadata)
        except grpc.RpcError as error:
            if error.code() not in ASK_AGAIN:
                raise
            print(f"{error.code().name} ({reason(error)}); sending it again", file=sys.stderr)
            time.sleep(min(0.1 * 2**attempt, 5))
    raise SystemExit("the outcome is unknown; query GetOrder before anything else is sent")


def reason(error: grpc.RpcError) -> str:
    """Return the stable reason of an error, from google.rpc.ErrorInfo: the text may change, the reason does not."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    return info.reason if status and any(detail.Unpack(info) for detail in status.details) else "no reason given"


class OrderStream:
    """The account's orders and fills, across connections; a gap is always marked."""

    def __init__(self, stub: ExchangeServiceStub, metadata: Metadata) -> None:
        self._stub = stub
        self._metadata = metadata
        self._position: types_pb2.StreamPosition | None = None
        self.call: Any = None

    def read(self) -> Generator[pb.SubscribeOrdersResponse, None, None]:
        waits = 0.1
        while True:
            request = pb.SubscribeOrdersRequest(position=self._position)
            self.call = self._stub.SubscribeOrders(request, metadata=self._metadata)
            try:
                for response in self.call:
                    self._position = response.position
                    waits = 0.1
                    yield response
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    raise
                at = f"sequence {self._position.sequence}" if self._position else "the beginning"
                print(f"the stream ended ({error.code().name}); resuming at {at}", file=sys.stderr)
            time.sleep(waits)
            waits = min(waits * 2, 60)


def wait_for(stream: Iterable[pb.SubscribeOrdersResponse], client_order_id: str, status: int) -> None:
    for response in stream:
        at = response.position
        print(f"epoch {at.epoch} sequence {at.sequence}: {len(response.updates)} updates")
        if response.gap:
            print("a gap: query the orders again (GetOpenOrders, ListFills)")
        if any(u.order.client_order_id == client_order_id and u.order.status == status for u in response.updates):
            return


def main(arguments: argparse.Namespace) -> None:
    token = os.environ.get("CONNECTOR_TOKEN", "")
    metadata: Metadata = [("x-client-name", "plain-grpcio")]
    if token:
        metadata.append(("authorization", f"Bearer {token}"))
    with open_channel(arguments.address, arguments.ca) as channel:
        stub = ExchangeServiceStub(channel)
        asked = pb.GetLatestPriceRequest(symbol=arguments.symbol)
        bid = Decimal(stub.GetLatestPrice(asked, timeout=DEADLINE_S, metadata=metadata).price.bid)
        print(f"{arguments.symbol}: best bid {bid}")

        orders = OrderStream(stub, metadata)
        stream = orders.read()
        next(stream)  # the snapshot: the open orders as they are now

        order = types_pb2.OrderRequest(
            client_order_id=f"plain{secrets.token_hex(10)}",
            symbol=arguments.symbol,
            side=types_pb2.SIDE_BUY,
            order_type=types_pb2.ORDER_TYPE_LIMIT,
            time_in_force=types_pb2.TIME_IN_FORCE_POST_ONLY,
            quantity=arguments.quantity,
            price=f"{bid * Decimal('0.97'):.1f}",
        )
        for _ in range(2):  # once would do: the second call shows that the same id is the same order
            placed = until_proven(stub.PlaceOrder, pb.PlaceOrderRequest(order=order), metadata)
            print(f"order {placed.order.order_id}: {types_pb2.OrderStatus.Name(placed.order.status)}")
        wait_for(stream, order.client_order_id, types_pb2.ORDER_STATUS_OPEN)

        orders.call.cancel()  # as after a lost connection: the next read continues at the position
        ref = types_pb2.OrderRef(symbol=order.symbol, client_order_id=order.client_order_id)
        until_proven(stub.CancelOrder, pb.CancelOrderRequest(order=ref), metadata)
        wait_for(stream, order.client_order_id, types_pb2.ORDER_STATUS_CANCELED)
        print("canceled")
        stream.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Trade through the connector with grpcio alone.")
    parser.add_argument("--address", default=os.environ.get("EXCHANGE_GRPC_ADDRESS", "localhost:50051"))
    parser.add_argument("--ca", type=Path, help="PEM file of the authority that signed the connector's certificate")
    parser.add_argument("--symbol", default="BTCUSDT")
    parser.add_argument("--quantity", default="0.002", help="base coins")
    try:
        main(parser.parse_args())
    except grpc.RpcError as error:
        sys.exit(f"error: {error.code().name} ({reason(error)}): {error.details()}")
