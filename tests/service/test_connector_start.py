"""The connector's start: what it needs it has before it serves, and what fails is told and let go."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from opensqt.config.connector import ConnectorServerSettings
from opensqt.connector.server import Connector
from opensqt.model.errors import ConfigError, CredentialsRefused
from tests.service.connector_rig import Venue, rig


def taken_port() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    return taken


async def test_a_port_in_use_is_refused_by_number() -> None:
    with taken_port() as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: already in use"):
            await Connector(Venue(), ConnectorServerSettings(port=port, metrics_port=None)).start()


async def test_two_connectors_never_share_a_port() -> None:
    async with rig() as running:
        port = int(running.connector.address.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"port {port}: already in use"):
            await Connector(Venue(), ConnectorServerSettings(port=port, metrics_port=None)).start()


async def test_a_metrics_port_in_use_is_refused_by_number() -> None:
    with taken_port() as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"metrics port {port}: already in use"):
            await Connector(Venue(), ConnectorServerSettings(port=0, metrics_port=port)).start()


async def test_an_unknown_host_is_refused_by_name() -> None:
    settings = ConnectorServerSettings(port=0, metrics_port=None, host="no.such.host.invalid", insecure=True)
    with pytest.raises(ConfigError, match=r"host 'no\.such\.host\.invalid': unknown"):
        await Connector(Venue(), settings).start()


async def test_two_connectors_never_share_a_journal(tmp_path: Path) -> None:
    """F1: an order is never sent twice, nor lost from sight, when a reply is lost."""
    path = str(tmp_path / "journal.db")
    async with rig(journal=path):
        with pytest.raises(ConfigError, match="another connector uses it"):
            await Connector(Venue(), journal=path).start()


async def test_a_journal_that_can_not_be_had_is_refused_by_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/journal\.db: can't be used"):
        await Connector(Venue(), journal=str(tmp_path / "file" / "journal.db")).start()


async def test_a_start_that_failed_lets_go_of_port_and_journal(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    venue = Venue()
    venue.fail_next(CredentialsRefused("no"), on="start")
    with taken_port() as free:
        port = free.getsockname()[1]
    connector = Connector(venue, ConnectorServerSettings(port=port, metrics_port=None), journal=path)
    with pytest.raises(CredentialsRefused):
        await connector.start()
    assert list(connector.tasks) == []
    async with rig(port=port, journal=path) as running:
        assert running.connector.address == f"127.0.0.1:{port}"
