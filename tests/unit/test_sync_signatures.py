"""SyncExchange stays in step with the protocol: every method, with the same parameters and answers."""

from __future__ import annotations

import inspect

import pytest

from opensqt import InMemoryExchange, SyncExchange, connect, connect_sync
from opensqt.client.exchange import RemoteExchange
from opensqt.model.exchange import Exchange

METHODS = [name for name in vars(Exchange) if not name.startswith("_") and name != "name"]
STREAMS = [name for name in METHODS if name.startswith("subscribe_")]

BEYOND = ["get_klines_between", "heartbeat", "lease", "halt_trading", "resume_trading", "place_during_halt"]
"""What RemoteExchange has beyond the protocol."""


def parameters(kind: type, name: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(getattr(kind, name)).parameters)


def test_every_method_of_the_protocol_is_there_and_no_other() -> None:
    public = {name for name in vars(SyncExchange) if not name.startswith("_")} - {"name", *BEYOND}
    assert public == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_takes_what_the_protocol_takes(name: str) -> None:
    ours = parameters(SyncExchange, name)
    for own in ("timeout_s", "max_age_s") if name in STREAMS else ():
        parameter = ours.pop(own)
        assert (parameter.kind, parameter.default) == (inspect.Parameter.KEYWORD_ONLY, None)
    assert ours == parameters(Exchange, name)


@pytest.mark.parametrize("kind", [RemoteExchange, SyncExchange, InMemoryExchange])
@pytest.mark.parametrize("name", STREAMS)
def test_a_subscription_takes_a_maximum_age_wherever_a_program_runs(name: str, kind: type) -> None:
    assert parameters(kind, name)["max_age_s"].default is None


@pytest.mark.parametrize("name", METHODS)
def test_a_method_answers_what_the_protocol_answers(name: str) -> None:
    said = inspect.signature(getattr(Exchange, name)).return_annotation
    ours = inspect.signature(getattr(SyncExchange, name)).return_annotation
    assert ours == said.replace("Stream[", "SyncStream[")
    assert not inspect.iscoroutinefunction(getattr(SyncExchange, name))


@pytest.mark.parametrize("name", BEYOND)
def test_what_remote_exchange_has_beyond_the_protocol_is_there_too(name: str) -> None:
    assert parameters(SyncExchange, name) == parameters(RemoteExchange, name)


def test_both_ways_in_take_the_same_arguments() -> None:
    assert inspect.signature(connect_sync).parameters == inspect.signature(connect).parameters
