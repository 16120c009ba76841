"""The numbers that a client's orders are sent under, one for each claim that it holds."""

from __future__ import annotations

from opensqt.model.order import AmendRequest, OrderRequest
from opensqt.model.venue import TradingClaim
from opensqt.proto import gateway_service_pb2 as gateway_pb
from opensqt.proto import types_pb2 as pb
from opensqt.wire.amendments import encode_amend_request
from opensqt.wire.requests import encode_order_request


class ClaimNumbers:
    """The claims of one client, as the connector reported them last.

    One that was lost stays: an order under its number is refused, and one under none might not be.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    def note(self, claim: TradingClaim) -> None:
        """Send orders under this claim from now on; under none once it was given up."""
        if claim.expires_ms:
            self._numbers[claim.symbol, claim.strategy] = claim.number
        else:
            self._numbers.pop((claim.symbol, claim.strategy), None)

    def encode(self, request: OrderRequest) -> pb.OrderRequest:
        """Return an order's message, with the number of the claim that it belongs to."""
        message = encode_order_request(request)
        for (symbol, strategy), number in self._numbers.items():
            if symbol == request.symbol and request.client_order_id.startswith(strategy):
                message.claim_number = number
        return message

    def encode_amend(self, request: AmendRequest) -> gateway_pb.AmendOrderRequest:
        """Return an amendment's message, with the number of the claim that its order belongs to.

        Of an order that only the venue's id names the strategy is not known here. It is sent under the number of the
        one claim of its symbol; where there are several, the connector refuses it.
        """
        message = encode_amend_request(request)
        named = request.order.client_order_id
        numbers = [
            number
            for (symbol, strategy), number in self._numbers.items()
            if symbol == request.order.symbol and (not named or named.startswith(strategy))
        ]
        if len(numbers) == 1:
            message.claim_number = numbers[0]
        return message
