"""What a call may do, by the credential that it shows and the role of its client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opensqt.connector.auth.clients import Client, Clients, Credential, Role
from opensqt.connector.auth.roles import REQUIRED, Access, permit, plain_name
from opensqt.model.errors import PermissionDenied, TokenRefused


class Connection:
    """A connection whose handshake proved these names."""

    def __init__(self, *common_names: bytes) -> None:
        self._names = common_names

    def auth_context(self) -> Mapping[str, Any]:
        return {"x509_common_name": list(self._names)} if self._names else {}


READER, TRADER = Client(name="page", role=Role.READ), Client(name="maker", role=Role.TRADE)


@pytest.mark.parametrize("client", [READER, TRADER])
def test_a_method_that_nobody_classified_is_denied(client: Client) -> None:
    with pytest.raises(PermissionDenied, match=f"client {client.name}: its role, {client.role}, does not allow NewOne"):
        permit(client, "NewOne")


@pytest.mark.parametrize("method", REQUIRED)
def test_a_trader_may_what_a_reader_may_and_a_reader_only_what_needs_no_more(method: str) -> None:
    permit(TRADER, method)
    if REQUIRED[method] is Role.READ:
        permit(READER, method)
    else:
        with pytest.raises(PermissionDenied):
            permit(READER, method)


def test_where_nothing_has_to_be_proven_a_client_is_who_it_says_and_may_trade() -> None:
    access = Access()
    assert not access.proven
    assert access.identify(access.credential(Connection(), "anything"), "me") == Client(name="me", role=Role.TRADE)
    assert access.identify(Credential()).name == "local"


def test_names_that_clients_give_themselves_do_not_pile_up() -> None:
    """F27: memory does not grow with time."""
    access = Access()
    for number in range(10_000):
        access.identify(Credential(), f"client{number}")
    assert len(access.self_named) <= 1024


def test_with_an_authority_and_no_file_a_certificate_is_a_trader_of_its_name() -> None:
    access = Access(certificates=True)
    assert access.proven
    shown = access.credential(Connection(b"maker-host"), None)
    assert access.identify(shown, "somebody-else") == Client(name="maker-host", role=Role.TRADE)


@pytest.mark.parametrize("names", [(), (b"a", b"b"), (b"no name",), (b"\xff",), (b"x" * 65,), (b"a\nb",)])
def test_a_certificate_without_one_plain_name_is_nobodys(names: tuple[bytes, ...]) -> None:
    with pytest.raises(TokenRefused, match="expected one subject common name"):
        Access(certificates=True).credential(Connection(*names), None)


def test_no_clients_is_nobody_and_not_everybody() -> None:
    access = Access(Clients([]))
    with pytest.raises(TokenRefused):
        access.identify(access.credential(Connection(), "Bearer anything"))


@pytest.mark.parametrize(
    ("said", "kept"), [("page-1.a:b_c", "page-1.a:b_c"), ("a b", ""), ("", ""), ("x" * 65, ""), (f"sqt_{'a' * 43}", "")]
)
def test_a_name_is_kept_when_it_is_fit_for_a_log_line(said: str, kept: str) -> None:
    assert plain_name(said) == kept
