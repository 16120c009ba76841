"""An account's keys: more than one, each revoked for itself."""

from __future__ import annotations

import aiohttp
import pytest

from opensqt.simulator import Simulator, SimulatorSettings
from opensqt.simulator.keys import ApiKey, Keyring
from opensqt.simulator.settings import AccountSettings

SECOND = ApiKey(key="second", secret="s", passphrase="p", account="sim-key")


@pytest.fixture
def ring() -> Keyring:
    return Keyring((AccountSettings(may_withdraw=True),))


def test_an_account_begins_with_its_own_key(ring: Keyring) -> None:
    assert (list(ring), ring["sim-key"].account, ring["sim-key"].may_withdraw) == (["sim-key"], "sim-key", True)


def test_revoking_one_key_leaves_the_other_and_is_reported(ring: Keyring) -> None:
    revoked: list[str] = []
    ring.on_revoked = revoked.append
    ring.add(SECOND)
    ring.revoke("sim-key")
    assert (list(ring), revoked, ring["second"].account) == (["second"], ["sim-key"], "sim-key")


@pytest.mark.parametrize("account", ["nobody", "second"])
def test_a_key_needs_an_account(ring: Keyring, account: str) -> None:
    with pytest.raises(ValueError, match=f"account '{account}': expected one of sim-key"):
        ring.add(ApiKey(key="second", secret="s", passphrase="", account=account))


def test_a_key_is_one_accounts_only(ring: Keyring) -> None:
    with pytest.raises(ValueError, match="in use already"):
        ring.add(ApiKey(key="sim-key", secret="s", passphrase="", account="sim-key"))


def test_a_key_that_is_unknown_can_not_be_revoked(ring: Keyring) -> None:
    with pytest.raises(ValueError, match="unknown"):
        ring.revoke("second")


def test_a_key_hides_its_secret() -> None:
    """F33: no secret shows in a log, an error or a page."""
    assert "secret" not in repr(SECOND)


async def test_keys_come_and_go_over_http() -> None:
    async with Simulator(SimulatorSettings(port=0)) as simulator, aiohttp.ClientSession(simulator.url) as http:
        wanted = {"account": "sim-key", "key": "second", "secret": "very-secret-7"}
        async with http.post("/_sim/keys", json=wanted) as answer:
            assert "very-secret-7" not in await answer.text()
        async with http.delete("/_sim/keys", json={"key": "sim-key"}) as answer:
            assert await answer.json() == {"keys": [{"key": "second", "account": "sim-key"}]}
        async with http.post("/_sim/keys", json={"account": "sim-key", "key": "third"}) as answer:
            assert (answer.status, await answer.json()) == (400, {"error": "secret: Field required"})
