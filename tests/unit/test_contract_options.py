"""What the contract tells code generators: names in other languages, and which calls may be repeated."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions

from opensqt.connector.auth.clients import Role
from opensqt.connector.auth.roles import REQUIRED
from opensqt.proto import exchange_service_pb2, gateway_service_pb2, types_pb2

FILES = [types_pb2.DESCRIPTOR, exchange_service_pb2.DESCRIPTOR, gateway_service_pb2.DESCRIPTOR]
NOT_IDEMPOTENT = {"Heartbeat"}
"""It tells a lapse only once."""


def described(file: object) -> FileDescriptorProto:
    found = FileDescriptorProto()
    file.CopyToProto(found)  # type: ignore[attr-defined]
    return found


LEVEL = {
    method.name: method.options.idempotency_level
    for file in map(described, FILES)
    for service in file.service
    for method in service.method
}


@pytest.mark.parametrize("option", ["csharp_namespace", "go_package", "java_package", "java_multiple_files"])
def test_all_files_generate_into_one_package_of_each_language(option: str) -> None:
    values = {getattr(described(file).options, option) for file in FILES}
    assert len(values) == 1
    assert values != {""}


@pytest.mark.parametrize("method", sorted(REQUIRED))
def test_a_read_has_no_side_effects_and_orders_and_cancels_may_be_repeated(method: str) -> None:
    if REQUIRED[method] is Role.READ:
        expected = MethodOptions.NO_SIDE_EFFECTS
    elif method in NOT_IDEMPOTENT:
        expected = MethodOptions.IDEMPOTENCY_UNKNOWN
    else:
        expected = MethodOptions.IDEMPOTENT
    assert LEVEL[method] == expected
