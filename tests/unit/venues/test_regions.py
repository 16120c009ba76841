"""Regional hosts: requests and streams go to the hosts of the configured region, and nowhere else."""

from __future__ import annotations

from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest

from opensqt.config.venue import VenueSettings
from opensqt.model.errors import ConfigError
from opensqt.venues.factory import KNOWN, create_exchange, venue_type
from opensqt.venues.regions import REGIONS

TESTNET = {"okx": {"eea", "us"}}
"""Regions with a test network."""


def client_of(venue: str, **fields: Any) -> Any:
    return venue_type(venue).make_client(VenueSettings(name=venue, api_key="k", secret="s", passphrase="p", **fields))


async def rest_host(client: Any, endpoint: str) -> str:
    """Return the host that a request would be sent to."""
    sent: list[str] = []

    async def fetch(url: str, *_: Any, **__: Any) -> Any:
        sent.append(url)
        return {}

    client.fetch = fetch
    await getattr(client, endpoint)({"settle": "usdt"})
    await client.close()
    return str(urlsplit(sent[0]).hostname)


def stream_hosts(venue: str, client: Any) -> set[str]:
    """Return the hosts of the streams that the adapter uses."""
    ws = client.urls["api"].get("ws")
    addresses = {
        "bybit": lambda: [ws["public"]["linear"], ws["private"]["contract"]],
        "gate": lambda: [client.urls["api"]["swap"]["usdt"]],
        "okx": lambda: [
            client.get_url(name, access) for name, access in (("bbo-tbt", "public"), ("orders", "private"))
        ],
    }[venue]()
    return {str(urlsplit(client.implode_hostname(address)).hostname) for address in addresses}


ENDPOINTS = {
    "bybit": ("privateGetV5AccountInfo", "publicGetV5MarketTime"),
    "gate": ("privateFuturesGetSettleAccounts", "publicFuturesGetSettleContracts", "privateUnifiedGetAccounts"),
    "okx": ("privateGetAccountConfig", "publicGetPublicTime"),
}
PLACES = [(venue, name) for venue in sorted(REGIONS) for name in sorted(REGIONS[venue])]


@pytest.mark.parametrize(("venue", "name"), PLACES)
async def test_requests_and_streams_go_to_the_regions_hosts(venue: str, name: str) -> None:
    region = REGIONS[venue][name]
    for endpoint in ENDPOINTS[venue]:
        assert await rest_host(client_of(venue, region=name), endpoint) == region.rest
    assert stream_hosts(venue, client_of(venue, region=name)) == {region.stream}


@pytest.mark.parametrize(
    ("venue", "rest", "stream"),
    [
        ("bybit", "api.bybit.com", "stream.bybit.com"),
        ("gate", "api.gateio.ws", "fx-ws.gateio.ws"),
        ("okx", "www.okx.com", "ws.okx.com"),
    ],
)
async def test_without_a_region_they_go_to_the_global_hosts(venue: str, rest: str, stream: str) -> None:
    for fields in ({}, {"region": "global"}, {"region": ""}, {"region": "Global"}):
        assert await rest_host(client_of(venue, **fields), ENDPOINTS[venue][0]) == rest
        assert stream_hosts(venue, client_of(venue, **fields)) == {stream}


@pytest.mark.parametrize("venue", KNOWN)
def test_an_unknown_region_is_refused_with_those_that_there_are(venue: str) -> None:
    expected = ", ".join(("global", *REGIONS[venue]))
    with pytest.raises(ConfigError, match=rf"exchange\.region 'mars': unknown on {venue}; expected one of {expected}$"):
        create_exchange(VenueSettings(name=venue, region="mars"))
    with pytest.raises(ConfigError, match="mars"):
        create_exchange(VenueSettings(name=venue, region="mars", base_url="http://127.0.0.1:1"))


@pytest.mark.parametrize(("venue", "name"), PLACES)
def test_a_simulator_has_its_own_hosts_whatever_the_region_is(venue: str, name: str) -> None:
    client = client_of(venue, region=name, base_url="http://127.0.0.1:9400")
    assert stream_hosts(venue, client) == {"127.0.0.1"}


@pytest.mark.parametrize(("venue", "name"), PLACES)
async def test_a_test_network_is_that_of_the_region_or_refused(venue: str, name: str) -> None:
    if name not in TESTNET.get(venue, ()):
        with pytest.raises(ConfigError, match=f"'{name}': {venue} has no test network there; leave out testnet"):
            client_of(venue, region=name, testnet=True)
        return
    region = REGIONS[venue][name]
    client = client_of(venue, region=name, testnet=True)
    assert stream_hosts(venue, client) == {region.test_stream}
    assert client.headers["x-simulated-trading"] == "1"
    assert await rest_host(client, ENDPOINTS[venue][0]) == region.test_rest


def test_no_two_regions_share_all_hosts() -> None:
    for regions in REGIONS.values():
        for (one, first), (other, second) in product(regions.items(), repeat=2):
            assert one == other or first != second
