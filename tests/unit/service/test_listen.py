"""Addresses to listen on, and what is said when one can't be had."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

from opensqt.model.errors import ConfigError
from opensqt.service.listen import ListenAddress


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_in_use_is_named_with_the_option_that_gives_another(taken: int) -> None:
    with pytest.raises(ConfigError) as refusal:
        ListenAddress("127.0.0.1", taken).bind()
    assert str(refusal.value) == (
        f"port {taken}: already in use; stop what listens there, or give another with --port (0: any free one)"
    )


def test_one_of_several_listeners_is_named(taken: int) -> None:
    address = ListenAddress("127.0.0.1", taken, port_option="--metrics-port", what="metrics")
    with pytest.raises(ConfigError, match=rf"metrics port {taken}: already in use; .* --metrics-port"):
        address.check_free()


def test_a_free_port_is_taken_and_given() -> None:
    with ListenAddress("127.0.0.1", 0).bind() as listener:
        assert listener.getsockname()[1] > 0


def test_a_check_leaves_the_port_free() -> None:
    with ListenAddress("127.0.0.1", 0).bind() as listener:
        port = listener.getsockname()[1]
    ListenAddress("127.0.0.1", port).check_free()
    with ListenAddress("127.0.0.1", port).bind() as again:
        assert again.getsockname()[1] == port


def test_an_unknown_host_is_named_with_its_option() -> None:
    with pytest.raises(ConfigError, match=r"host 'no\.such\.invalid': unknown; .* server\.host"):
        ListenAddress("no.such.invalid", 0, host_option="server.host").bind()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1:0: can't listen: Cannot assign requested address; see --host"):
        ListenAddress("192.0.2.1", 0).bind()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_port_below_1024_says_which_to_take(number: int) -> None:
    refusal = ListenAddress("127.0.0.1", 80).refusal(OSError(number, "denied"))
    assert str(refusal) == "port 80: not allowed to this user; give one above 1023 with --port"


def test_the_sentence_has_the_words_of_the_system_and_not_those_of_asyncio() -> None:
    error = OSError(errno.EADDRNOTAVAIL, "error while attempting to bind on address ('192.0.2.1', 1)")
    assert "Cannot assign requested address" in str(ListenAddress("192.0.2.1", 1).refusal(error))
