"""A connector that lets in only whom a clients file names, and calls with a token."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import yaml
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from opensqt.connector.auth.clients import digest
from opensqt.proto import exchange_service_pb2, gateway_service_pb2
from tests.service.connector_rig import Rig, Venue, rig
from tests.support.authority import Pair

METHODS: dict[str, MethodDescriptor] = {
    method.name: method
    for service in (
        exchange_service_pb2.DESCRIPTOR.services_by_name["ExchangeService"],
        gateway_service_pb2.DESCRIPTOR.services_by_name["GatewayService"],
    )
    for method in service.methods
}
"""Every RPC by its name."""


def token(name: str) -> str:
    """The token of a client of these tests."""
    return f"sqt_canaryTokenOf{name.title()}7f3a9c"


def bearer(name: str) -> tuple[tuple[str, str], ...]:
    """The metadata that shows a client's token."""
    return (("authorization", f"Bearer {token(name)}"),)


def write(path: Path, *clients: Mapping[str, Any]) -> Path:
    """Write a clients file; a client without a certificate gets its token."""
    entries = []
    for client in clients:
        shows = {} if "certificate" in client else {"token_sha256": digest(token(client["name"])).hex()}
        entries.append({"role": "read", **shows, **client})
    new = path.with_suffix(".new")
    new.write_text(yaml.safe_dump({"clients": entries}))
    new.chmod(0o600)
    new.replace(path)
    return path


PAGE = {"name": "page", "role": "read"}
MAKER = {"name": "maker", "role": "trade"}


@asynccontextmanager
async def guarded(
    folder: Path, *clients: Mapping[str, Any], venue: Venue | None = None, **settings: Any
) -> AsyncIterator[Rig]:
    """Run a connector with a clients file, `clients.yaml` in *folder*."""
    async with rig(venue, clients_file=write(folder / "clients.yaml", *(clients or (PAGE, MAKER))), **settings) as made:
        yield made


async def code_of(channel: grpc.aio.Channel, method: str, metadata: Any = (), request: Any = None) -> grpc.StatusCode:
    """Call any RPC, by default with an empty request, and answer the status code; a stream is left once it is open."""
    described = METHODS[method]
    path = f"/{described.containing_service.full_name}/{method}"
    write_, read = GetMessageClass(described.input_type), GetMessageClass(described.output_type)
    kind = channel.unary_stream if described.server_streaming else channel.unary_unary
    call = kind(path, request_serializer=write_.SerializeToString, response_deserializer=read.FromString)(
        request or write_(), metadata=metadata, timeout=10
    )
    try:
        if not described.server_streaming:
            await call
        else:
            # A request that is refused tells it here; a sound one may have to wait for its first response.
            await (call.initial_metadata() if request else call.read())
    except grpc.aio.AioRpcError as error:
        return error.code()
    if call.done():
        return await call.code()
    call.cancel()
    return grpc.StatusCode.OK


def over_tls(address: str, authority: Path, pair: Pair | None = None) -> grpc.aio.Channel:
    """Make a TLS channel of its own connection, with a client certificate or without."""
    given = {"root_certificates": authority.read_bytes()}
    if pair is not None:
        given |= {"private_key": pair.key.read_bytes(), "certificate_chain": pair.certificate.read_bytes()}
    credentials = grpc.ssl_channel_credentials(**given)
    options = [("grpc.use_local_subchannel_pool", 1)]
    return grpc.aio.secure_channel(f"localhost:{address.rpartition(':')[2]}", credentials, options=options)
