"""RemoteExchange over TLS: it trusts the authority that it was given, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from opensqt.config.remote import RemoteSettings
from opensqt.exchange.remote import RemoteExchange
from opensqt.model.errors import ConnectorUnavailable
from tests.service.scripted_connector import ScriptedConnector
from tests.support.authority import Authority


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "ours")


def credentials(ours: Authority, clients: Authority | None) -> grpc.ServerCredentials:
    server = ours.issue("server")
    known = clients.file.read_bytes() if clients else None
    return grpc.ssl_server_credentials([(server.key.read_bytes(), server.certificate.read_bytes())], known, bool(known))


@asynccontextmanager
async def encrypted(ours: Authority, clients: Authority | None = None) -> AsyncIterator[int]:
    """Serve over TLS; with *clients* only to those whose certificate that authority signed."""
    server = grpc.aio.server()
    ScriptedConnector().register(server)
    bound = server.add_secure_port("localhost:0", credentials(ours, clients))
    await server.start()
    yield bound
    await server.stop(None)


@pytest.fixture
async def port(ours: Authority) -> AsyncIterator[int]:
    async with encrypted(ours) as bound:
        yield bound


def remote(port: int, authority: Path | None, **more: Path) -> RemoteExchange:
    settings = RemoteSettings(
        base_url=f"localhost:{port}", tls_ca_file=authority, token="a-token", retry_scale=0.0001, deadline_s=5, **more
    )
    return RemoteExchange(settings)


async def test_a_connector_whose_authority_is_known_is_trusted(port: int, ours: Authority) -> None:
    async with remote(port, ours.file) as exchange:
        assert (await exchange.get_status()).checks == ()


async def test_another_authority_is_not_trusted(port: int, tmp_path: Path) -> None:
    with pytest.raises(ConnectorUnavailable):
        await remote(port, Authority(tmp_path).file).start()


async def test_plain_text_does_not_reach_a_connector_that_wants_tls(port: int) -> None:
    with pytest.raises(ConnectorUnavailable):
        await remote(port, None).start()


async def test_a_client_certificate_is_shown_where_one_is_asked_for(ours: Authority, tmp_path: Path) -> None:
    clients = Authority(tmp_path)
    pem, key = clients.issue("page")
    async with (
        encrypted(ours, clients) as port,
        remote(port, ours.file, tls_cert_file=pem, tls_key_file=key) as exchange,
    ):
        assert (await exchange.get_status()).checks == ()


async def test_without_a_client_certificate_such_a_connector_is_not_reached(ours: Authority, tmp_path: Path) -> None:
    async with encrypted(ours, Authority(tmp_path)) as port:
        with pytest.raises(ConnectorUnavailable):
            await remote(port, ours.file).start()
