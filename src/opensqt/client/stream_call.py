"""One call of a stream: acknowledged, or plain where the connector is older than acknowledgements."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from opensqt.model.errors import Unreachable
from opensqt.proto import gateway_service_pb2 as pb
from opensqt.wire import errors as wire_errors

_ENDED = "the connector ended the stream"


class NoAcknowledgements(Exception):
    """The connector does not know the call."""


class AcknowledgedCall:
    """A call of ReadStream.

    Args:
        stub: Of GatewayService.
        kind: What is subscribed to; names the field of the request and of the response.
        request: The subscription.
        metadata: Of the call.
    """

    def __init__(self, stub: Any, kind: str, request: Any, metadata: Any) -> None:
        self._call = stub.ReadStream(metadata=metadata)
        self._kind = kind
        self.sent_ns = 0
        """When the connector sent the last response, by its clock."""
        self._received = self._read = 0
        self._changed = asyncio.Event()
        self._writing = asyncio.create_task(self._write(pb.ReadStreamRequest(**{kind: request})), name="acknowledge")

    async def read(self) -> Any:
        """Return the next response of the stream.

        Raises:
            ExchangeError: The call ended.
            NoAcknowledgements: The connector is older than this call.
        """
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as failure:
            if failure.code() is grpc.StatusCode.UNIMPLEMENTED and not wire_errors.is_connectors_own(failure):
                raise NoAcknowledgements from None
            raise wire_errors.from_rpc_error(failure) from None
        if message is grpc.aio.EOF:
            raise Unreachable(_ENDED)
        self._received += 1
        self.sent_ns = message.sent_ns
        return getattr(message, self._kind)

    def acknowledge(self, *, read: bool) -> None:
        """Acknowledge the responses so far; with *read* the reader has taken them, too."""
        if read:
            self._read = self._received
        self._changed.set()

    def cancel(self) -> None:
        """End the call."""
        self._call.cancel()
        self._writing.cancel()

    async def _write(self, request: pb.ReadStreamRequest) -> None:
        acknowledged = request.acknowledgement.received, request.acknowledgement.read
        try:
            await self._call.write(request)
            while True:
                await self._changed.wait()
                self._changed.clear()
                now = self._received, self._read
                if now != acknowledged:
                    acknowledged = now
                    position = pb.Acknowledgement(received=now[0], read=now[1])
                    await self._call.write(pb.ReadStreamRequest(acknowledgement=position))
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            # The call has ended; the read of it says why.
            return


class PlainCall:
    """A call of a streaming method of one kind of stream, which nothing is acknowledged to."""

    def __init__(self, stub: Any, method: str, request: Any, metadata: Any) -> None:
        self._call = getattr(stub, method)(request, metadata=metadata)
        self.sent_ns = 0
        """When the connector sent the last response, by its clock; 0 where the connector does not say so."""

    async def read(self) -> Any:
        """Return the next response; see `AcknowledgedCall.read`."""
        try:
            message = await self._call.read()
        except grpc.aio.AioRpcError as failure:
            raise wire_errors.from_rpc_error(failure) from None
        if message is grpc.aio.EOF:
            raise Unreachable(_ENDED)
        self.sent_ns = message.sent_ns
        return message

    def acknowledge(self, *, read: bool) -> None:
        """Do nothing."""

    def cancel(self) -> None:
        """End the call."""
        self._call.cancel()
