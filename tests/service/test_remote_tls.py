"""RemoteExchange over TLS: it trusts the authority that it was given, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from opensqt.client.exchange import RemoteExchange
from opensqt.config.remote import RemoteSettings
from opensqt.model.errors import ConfigError, ConnectorUnavailable
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


def test_an_authority_that_is_no_certificate_is_told_before_anything_is_tried(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    with pytest.raises(ConfigError, match=r"tls_ca_file: .*ca\.pem': expected a PEM file with a certificate"):
        remote(1, tmp_path / "ca.pem")


def test_a_key_of_another_certificate_is_told_without_showing_it(ours: Authority, tmp_path: Path) -> None:
    """F33: no secret shows in a log, an error or a page."""
    mine, others = Authority(tmp_path).issue("mine"), Authority(tmp_path, "second").issue("others")
    with pytest.raises(ConfigError, match=r"tls_cert_file: .*mine\.pem': .*others\.key its key") as caught:
        remote(1, ours.file, tls_cert_file=mine.certificate, tls_key_file=others.key)
    assert others.key.read_text().splitlines()[1] not in str(caught.value)


def test_a_key_with_a_passphrase_is_told_and_not_asked_for(ours: Authority, tmp_path: Path) -> None:
    mine = Authority(tmp_path).issue("mine")
    key = load_pem_private_key(mine.key.read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"canary"))
    mine.key.write_bytes(locked)
    with pytest.raises(ConfigError, match="its key without a passphrase"):
        remote(1, ours.file, tls_cert_file=mine.certificate, tls_key_file=mine.key)
