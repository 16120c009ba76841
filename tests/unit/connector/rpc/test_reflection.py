"""What server reflection finds by name."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pool

from opensqt.connector.rpc.reflection import Symbols
from opensqt.proto import exchange_service_pb2

SERVICE = "opensqt.market_maker.v1.ExchangeService"


@pytest.mark.parametrize(
    "name", [SERVICE, f"{SERVICE}.PlaceOrder", "opensqt.market_maker.v1.PlaceOrderRequest", f"{SERVICE}.SubscribePrice"]
)
def test_services_methods_and_messages_lead_to_their_file(name: str) -> None:
    found = Symbols(descriptor_pool.Default()).FindFileContainingSymbol(name)
    assert found.name == exchange_service_pb2.DESCRIPTOR.name


@pytest.mark.parametrize("name", ["", "nothing", f"{SERVICE}.Nothing", "opensqt.Nothing.PlaceOrder", "."])
def test_what_does_not_exist_is_a_key_error_as_reflection_expects(name: str) -> None:
    with pytest.raises(KeyError):
        Symbols(descriptor_pool.Default()).FindFileContainingSymbol(name)
