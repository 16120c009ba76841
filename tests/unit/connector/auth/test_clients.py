"""The clients file and who of it a credential names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opensqt.connector.auth.clients import Client, Clients, Credential, Role, digest, loose_permissions, read_entries
from opensqt.model.errors import ConfigError, TokenRefused

TOKEN = "canaryTokenAbc123Def456"
HASH = digest(TOKEN).hex()


def write(tmp_path: Path, *entries: str) -> Path:
    path = tmp_path / "clients.yaml"
    path.write_text("clients:\n" + "".join(f"  - {entry}\n" for entry in entries))
    return path


def entry(name: str = "page", **fields: str) -> str:
    return ", ".join(f"{key}: {value}" for key, value in ({"name": name, "role": "read"} | fields).items())


def flow(name: str = "page", **fields: str) -> str:
    return f"{{{entry(name, **fields)}}}"


def clients(tmp_path: Path, *entries: str) -> Clients:
    return Clients(read_entries(write(tmp_path, *entries)))


def shown(token: str | None = None, common_name: str | None = None) -> Credential:
    return Credential(digest(token) if token else None, common_name)


def test_a_token_names_its_client(tmp_path: Path) -> None:
    assert clients(tmp_path, flow(token_sha256=HASH)).identify(shown(TOKEN)) == Client(name="page", role=Role.READ)


def test_a_certificate_names_its_client(tmp_path: Path) -> None:
    assert clients(tmp_path, flow(certificate="page-host")).identify(shown(None, "page-host")).name == "page"


def test_token_and_certificate_of_one_client_go_together(tmp_path: Path) -> None:
    known = clients(tmp_path, flow(token_sha256=HASH, certificate="page-host"))
    assert known.identify(shown(TOKEN, "page-host")).name == "page"


@pytest.mark.parametrize(
    ("credential", "said"),
    [
        (shown(), "no token was shown; "),
        (shown("another"), "does not know this token"),
        (shown(None, "stranger"), "common name is not in"),
        (shown(TOKEN, "stranger"), "common name is not in"),
        (shown(TOKEN, "maker-host"), "name different clients"),
    ],
)
def test_whom_the_file_does_not_name_is_refused(tmp_path: Path, credential: Credential, said: str) -> None:
    known = clients(tmp_path, flow(token_sha256=HASH), flow("maker", role="trade", certificate="maker-host"))
    with pytest.raises(TokenRefused, match=said):
        known.identify(credential)


def test_credentials_end_when_they_expire(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    for when, valid in ((now - timedelta(seconds=1), False), (now + timedelta(hours=1), True)):
        known = clients(tmp_path, flow(token_sha256=HASH, expires=f"'{when.isoformat()}'"))
        if valid:
            assert known.identify(shown(TOKEN)).name == "page"
        else:
            with pytest.raises(TokenRefused, match="client page: its credentials have expired"):
                known.identify(shown(TOKEN))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([flow(role="admin", token_sha256=HASH)], "clients.0.role: 'admin': expected 'read' or 'trade'"),
        ([flow()], "clients.0: dict: expected token_sha256 or certificate"),
        ([flow(token_sha256=TOKEN)], "clients.0.token_sha256: str: expected the token's SHA-256"),
        ([flow(token="x")], "clients.0.token: no such key; "),
        ([flow(tokn_sha256=HASH)], "clients.0.tokn_sha256: no such key; did you mean token_sha256?"),
        ([flow("no name", token_sha256=HASH)], "clients.0.name: 'no name': expected 1 to 64"),
        ([flow(token_sha256=HASH), flow(certificate="x")], "name 'page' is given to two clients"),
        ([flow(token_sha256=HASH), flow("b", token_sha256=HASH)], "token_sha256 is given to page and b"),
        ([flow(certificate="x"), flow("b", certificate="x")], "certificate 'x' is given to page and b"),
        ([flow(token_sha256=HASH, symbols="[BTCUSDT]")], "clients.0.symbols: ['BTCUSDT']: expected none with the"),
        ([flow(token_sha256=HASH, role="trade", max_order_notional="-1")], "max_order_notional: '-1': expected"),
        (
            [flow(token_sha256=HASH, expires="2030-01-01T00:00:00")],
            "clients.0.expires: '2030-01-01T00:00:00': expected a date and time with its zone",
        ),
        (
            [flow(token_sha256=HASH, role="trade", symbols="[btc]")],
            "clients.0.symbols: ['btc']: 'btc': expected capital",
        ),
    ],
)
def test_a_mistake_is_told_with_file_field_value_and_what_was_expected(
    tmp_path: Path, entries: list[str], said: str
) -> None:
    """F33: but never a value where a hash belongs, for it may be the token itself."""
    path = write(tmp_path, *entries)
    with pytest.raises(ConfigError) as raised:
        read_entries(path)
    text = str(raised.value)
    assert text.startswith(f"{path}: ")
    assert said in text
    assert TOKEN[:8] not in text
    assert HASH[:8] not in text


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory; `opensqt token new --clients"):
        read_entries(tmp_path / "none.yaml")


def test_the_environment_adds_no_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSQT__CLIENTS", flow("intruder", role="trade", token_sha256=HASH))
    assert [one.name for one in read_entries(write(tmp_path, flow(token_sha256=digest("x").hex())))] == ["page"]


def test_a_file_that_others_can_read_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, flow(token_sha256=HASH))
    path.chmod(0o644)
    assert "its mode is 0644; expected 0600" in loose_permissions(path)
    path.chmod(0o600)
    assert loose_permissions(path) == ""
