"""What became of each order of a trading call, singly or in a batch, for the count of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import gateway_service_pb2 as gateway_pb

DONE = "OK"
_SINGLE = {
    pb.PlaceOrderRequest: "place",
    gateway_pb.AmendOrderRequest: "amend",
    pb.CancelOrderRequest: "cancel",
}
_BATCH = {pb.BatchPlaceOrdersRequest: "place", pb.BatchCancelOrdersRequest: "cancel"}


def outcomes(request: Any, response: Any, reason: str) -> tuple[str, Mapping[str, int]]:
    """Return what was asked for, `place`, `amend` or `cancel`, and how often it ended how: OK, or the error's reason.

    Args:
        request: The message, or whatever came in its place.
        response: The answer, when there was one.
        reason: Why the whole call failed; empty when it did not.
    """
    if asked := _SINGLE.get(type(request)):
        return asked, {reason or DONE: 1}
    if asked := _BATCH.get(type(request)):
        if response is None:
            return asked, {reason: len(request.orders)}
        return asked, Counter(result.error.reason or DONE for result in response.results)
    return "", {}
