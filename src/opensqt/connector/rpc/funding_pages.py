"""ListFundingPayments page by page."""

from __future__ import annotations

from opensqt.connector.rpc.pages import Pages
from opensqt.model.exchange import Exchange
from opensqt.model.funding import FundingPayment
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.wire import codec


class FundingPages:
    """Answers `ListFundingPayments`; see `Pages`.

    Args:
        exchange: Asks the venue.
        keep_s: How long the payments of a series are kept.
        kept_payments: How many are kept for all series together; the oldest series goes first.
    """

    def __init__(self, exchange: Exchange, *, keep_s: float = 60.0, kept_payments: int = 50_000) -> None:
        self._exchange = exchange
        self._pages: Pages[FundingPayment] = Pages(
            lambda payment: payment.payment_id, keep_s=keep_s, kept_rows=kept_payments
        )

    async def answer(self, request: pb.ListFundingPaymentsRequest) -> pb.ListFundingPaymentsResponse:
        """Return one page, or all payments where no page size is given.

        Raises:
            InvalidRequest: The page size or the token can't be used.
        """
        payments, token = await self._pages.page(
            ("funding", request.symbol, request.since_ms),
            request.since_ms,
            request.page_size,
            request.page_token,
            lambda since_ms: self._exchange.list_funding_payments(request.symbol, since_ms=since_ms),
        )
        return pb.ListFundingPaymentsResponse(
            payments=map(codec.encode_funding_payment, payments), next_page_token=token
        )
