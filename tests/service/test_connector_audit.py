"""The audit: every trading call leaves one line, whatever became of it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import grpc
import orjson
import pytest
import structlog

from opensqt.connector.auth.audit_file import AuditFile
from opensqt.model.errors import ConfigError, InsufficientMargin
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto import types_pb2
from tests.service.connector_rig import Rig, order, place, rig
from tests.service.gatekeeper import bearer, code_of, guarded
from tests.support import eventually

MAKERS = bearer("maker")
REF = types_pb2.OrderRef(symbol="BTCUSDT", client_order_id="a")


async def told(running: Rig, method: str, request: Any, metadata: Any = MAKERS) -> dict[str, Any]:
    """Make one call and answer the one line that the audit has of it."""
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        await code_of(running.channel, method, (*metadata, ("x-correlation-id", "c-1")), request)
        (line,) = await eventually(lambda: [line for line in logs if line["event"] in ("call", "refused")])
    return dict(line)


async def test_an_order_is_told_with_who_what_and_what_became_of_it(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        line = await told(running, "PlaceOrder", place("a"))
    assert (line["client"], line["method"], line["correlation_id"]) == ("maker", "PlaceOrder", "c-1")
    assert (line["symbol"], line["client_order_id"], line["side"]) == ("BTCUSDT", "a", "SIDE_BUY")
    assert (line["quantity"], line["price"], line["code"], line["reason"]) == ("0.1", "99", "OK", "")
    assert line["peer"].startswith("ipv4:127.0.0.1:")
    assert line["ms"] > 0


async def test_a_refusal_by_the_venue_is_told_with_its_reason(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        running.venue.fail_next(InsufficientMargin("no money"))
        line = await told(running, "PlaceOrder", place("a"))
    assert (line["code"], line["reason"]) == ("FAILED_PRECONDITION", "INSUFFICIENT_MARGIN")


async def test_each_item_of_a_batch_is_told_with_its_own_outcome(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        batch = pb.BatchPlaceOrdersRequest(orders=[order("a"), order("b", quantity="1e9"), order("c", quantity="0")])
        placed = await told(running, "BatchPlaceOrders", batch)
        canceled = await told(running, "BatchCancelOrders", pb.BatchCancelOrdersRequest(orders=[REF]))
    assert [one["outcome"] for one in placed["orders"]] == ["OPEN", "INVALID_REQUEST", "ORDER_DENIED"]
    assert [one["client_order_id"] for one in placed["orders"]] == ["a", "b", "c"]
    assert canceled["orders"] == [{"symbol": "BTCUSDT", "client_order_id": "a", "outcome": "CANCELED"}]


async def test_cancels_are_told_with_the_orders_that_they_meant(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        await told(running, "PlaceOrder", place("b"))
        missing = await told(running, "CancelOrder", pb.CancelOrderRequest(order=REF))
        everything = await told(running, "CancelAllOrders", pb.CancelAllOrdersRequest(symbol="BTCUSDT"))
    assert (missing["client_order_id"], missing["reason"]) == ("a", "ORDER_NOT_FOUND")
    assert (everything["symbol"], everything["canceled"]) == ("BTCUSDT", ["b"])


async def test_a_call_that_the_role_forbids_is_told(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        line = await told(running, "PlaceOrder", place("a"), bearer("page"))
    assert (line["event"], line["client"], line["reason"]) == ("refused", "page", "PERMISSION_DENIED")


async def test_what_a_caller_writes_breaks_no_line_and_fills_no_disk(tmp_path: Path) -> None:
    async with guarded(tmp_path) as running:
        line = await told(running, "PlaceOrder", place("x" * 9000, symbol="A\nevent=call\x1b[31m", quantity="\x00"))
    assert (line["symbol"], line["quantity"]) == ("A?event=call?[31m", "?")
    assert len(line["client_order_id"]) == 64
    assert line["code"] == "INVALID_ARGUMENT"


async def test_the_audit_file_has_a_line_of_json_for_each_call(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with guarded(tmp_path, audit_file=path) as running:
        for name in ("a", "b"):
            await running.exchange.PlaceOrder(place(name), metadata=bearer("maker"))
        await code_of(running.channel, "PlaceOrder", bearer("page"), place("c"))
        await code_of(running.channel, "GetAccount", bearer("page"))
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [(line["event"], line["client"], line.get("client_order_id")) for line in lines] == [
        ("call", "maker", "a"),
        ("call", "maker", "b"),
        ("refused", "page", None),
    ]
    assert all(line["time"].endswith("+00:00") for line in lines)
    assert len(lines[0]["correlation_id"]) == 16
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def numbers(path: Path) -> list[int]:
    return [orjson.loads(line)["number"] for line in path.read_bytes().splitlines()]


async def test_the_audit_file_may_be_moved_away_at_any_time(tmp_path: Path) -> None:
    file = AuditFile(tmp_path / "audit.jsonl")
    file.open()
    file.write({"number": 1})
    await eventually(lambda: (tmp_path / "audit.jsonl").read_bytes() != b"")
    (tmp_path / "audit.jsonl").rename(tmp_path / "audit.1")
    file.write({"number": 2})
    await file.close()
    assert numbers(tmp_path / "audit.1") == [1]
    assert numbers(tmp_path / "audit.jsonl") == [2]


async def test_lines_wait_for_a_disk_that_takes_none_and_the_status_tells_it(tmp_path: Path) -> None:
    """F32: the state file is never torn, and lags behind nothing that was done."""
    folder = tmp_path / "disk"
    folder.mkdir()
    file = AuditFile(folder / "audit.jsonl")
    file.open()
    (folder / "audit.jsonl").unlink()
    folder.rename(tmp_path / "away")
    file.write({"number": 1})
    (check,) = await eventually(file.checks)
    assert f"can't be written: No such file or directory; {file.waiting_bytes} bytes wait" in check.reason
    assert file.waiting_bytes > 13
    assert check.ok
    (tmp_path / "away").rename(folder)
    file.write({"number": 2})
    await file.close()
    assert numbers(folder / "audit.jsonl") == [1, 2]
    assert file.checks() == []


async def test_an_audit_file_that_cannot_be_written_ends_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"server\.audit_file: '.*' can't be written: Is a directory"):
        async with rig(audit_file=tmp_path):
            pass


async def test_who_goes_away_while_its_order_is_on_the_way_is_told_as_canceled(tmp_path: Path) -> None:
    async with guarded(tmp_path, audit_file=tmp_path / "audit.jsonl") as running:
        running.venue.gate.clear()
        call = running.exchange.PlaceOrder(place("a"), metadata=bearer("maker"))
        await eventually(lambda: running.venue.held)
        call.cancel()
        line = await eventually(lambda: (tmp_path / "audit.jsonl").read_bytes())
        running.venue.gate.set()
    assert orjson.loads(line)["code"] == grpc.StatusCode.CANCELLED.name
