"""The hints for a client that can't reach a connector."""

from __future__ import annotations

import pytest

from opensqt.client.channel import hint_for


@pytest.mark.parametrize(
    ("why", "tls", "said"),
    [
        ("Failed to connect to remote host: Connection refused", False, "start exchange-connector there"),
        ("Failed to connect to remote host: Connection refused", True, "start exchange-connector there"),
        ("Socket closed", False, "as a connector with TLS does"),
        ("Tls handshake failed: WRONG_VERSION_NUMBER", True, "does not use TLS"),
        ("Tls handshake failed: CERTIFICATE_VERIFY_FAILED: self signed", True, "its certificate is not trusted"),
    ],
)
def test_the_advice_goes_by_what_failed(why: str, tls: bool, said: str) -> None:
    assert said in hint_for(why, tls=tls)
