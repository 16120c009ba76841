"""The exchange's key changes in its files, and a connector that runs takes it up: no restart, no lost order."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

from opensqt.client.exchange import RemoteExchange
from opensqt.simulator.keys import ApiKey
from tests.chaos.gateway_rig import KEYS, Gateway, far, gateway, request
from tests.support import eventually

SECOND = {"API_KEY": "canary-second-key", "API_SECRET": "canary-second-secret", "PASSPHRASE": "canary-second-pass"}


def in_files(folder: Path, values: Mapping[str, str]) -> dict[str, str]:
    """Write the values to files, and answer the environment that names these."""
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")
    return {f"{name}_FILE": str(folder / name) for name in values}


def grant(rig: Gateway) -> None:
    key, secret, passphrase = SECOND.values()
    rig.simulator.keys.add(ApiKey(key=key, secret=secret, passphrase=passphrase, account="sim-key"))


async def told_of_key(exchange: RemoteExchange) -> str:
    checks = {check.name: check for check in (await exchange.get_status()).checks}
    told = checks.get("configuration:venue_key")
    assert told is None or told.ok, "what was in use before still is, so health does not suffer"
    return told.reason if told else ""


async def test_a_key_that_changes_in_its_files_is_taken_up(tmp_path: Path) -> None:
    """F33: neither the old nor the new one is ever told."""
    async with gateway("okx", tmp_path, environ=in_files(tmp_path, KEYS)) as rig, rig.client() as exchange:
        await exchange.place_order(request(price=await far(exchange)))
        grant(rig)
        in_files(tmp_path, SECOND)
        await eventually(lambda: "another key is in use" in rig.process.output, what="the new key")
        rig.simulator.keys.revoke("sim-key")
        order = await exchange.place_order(request(price=await far(exchange, 1)))
        assert order.client_order_id in rig.open_ids
        assert len(await exchange.get_open_orders()) == 2
        await rig.stop()
    assert not any(value in rig.output for value in (*KEYS.values(), *SECOND.values()))


async def test_a_refused_key_is_told_and_health_stays(tmp_path: Path) -> None:
    async with gateway("binance", tmp_path, environ=in_files(tmp_path, KEYS)) as rig, rig.client() as exchange:
        in_files(tmp_path, SECOND)
        reason = await eventually(lambda: told_of_key(exchange), what="what is wrong with the key")
        assert "refused the credentials" in reason
        await exchange.place_order(request(price=await far(exchange)))
        grant(rig)
        rig.process.send(signal.SIGHUP)
        await eventually(lambda: "another key is in use" in rig.process.output, what="the new key")
        await eventually(lambda: key_is_well(exchange), what="nothing to tell any more")


async def key_is_well(exchange: RemoteExchange) -> bool:
    return not await told_of_key(exchange)
