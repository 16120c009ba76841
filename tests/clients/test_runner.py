"""The runner of `make clients`: a failure of a client never passes. The clients themselves do not run here."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.clients import document, types
from tests.clients.catalogue import CLIENTS, NODE, STEPS, Client, Exceptions, Missing, Uncompared, exceptions
from tests.clients.report import Answer, Call, Report, read, table

CLIENT = Client("some", "binance", "some-package", "some.mjs", typed=True)
PASSED = tuple(Call(step, f"{step} call") for step in STEPS)


def test_a_failed_call_is_a_problem() -> None:
    report = Report("some", (*PASSED, Call("limit", "placeOrder", "503")))
    assert report.problems([]) == ["some: limit: placeOrder: 503"]


def test_a_listed_failure_is_accepted_and_counted_as_failed() -> None:
    report = Report("some", (*PASSED, Call("limit", "placeOrder", "404")))
    assert report.problems([Missing("some", "placeOrder", "not simulated")]) == []
    assert "| limit | 1 of 2 |" in table([report])


def test_a_listed_call_that_passes_is_a_problem() -> None:
    """The list can't outlive what it excuses."""
    problems = Report("some", PASSED).problems([Missing("some", "limit call", "not simulated")])
    assert problems == ["some: limit call passes: strike it from exceptions.toml"]


def test_a_listed_call_that_was_not_made_is_a_problem() -> None:
    problems = Report("some", PASSED).problems([Missing("some", "renamed", "not simulated")])
    assert problems == ["some: renamed is in exceptions.toml and was not called"]


def test_a_step_without_a_call_is_a_problem() -> None:
    """A script that ends in its middle is no success."""
    assert Report("some", PASSED[:-1]).problems([]) == ["some: close: no call passed"]


def test_a_report_that_is_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="not a report"):
        read(json.dumps({"client": "some", "calls": [{"step": "limit"}]}))


def test_an_answer_is_compiled_without_the_fields_that_are_listed_for_it() -> None:
    accepted = Exceptions(uncompared=(Uncompared("some", ("x",), "why"), Uncompared("some", ("y",), "why", "other")))
    source = types.source("some-package", [Answer("call", "sdk.T", {"a": 1})], accepted)
    assert 'const answer0 = {"a": 1} as const;\nconst typed0: Frozen<sdk.T, "x"> = answer0;' in source


def test_an_error_of_the_compiler_names_the_call_and_the_innermost_reason() -> None:
    answers = [Answer("first", "T", 1), Answer("second", "T", 2)]
    line = types.source("p", answers, Exceptions()).splitlines().index("const typed1: Frozen<T, never> = answer1;") + 1
    long = "{ readonly " + "x" * 80 + " }"
    said = (
        f"answers.ts({line},7): error TS2322: Type '{long}' is wrong.\n  Property 'id' is missing in type '{long}'.\n"
    )
    done = subprocess.CompletedProcess([], 2, said, "")
    assert types.sentences(CLIENT, answers, done) == ["some: type of second: Property 'id' is missing in type {...}."]


def test_a_compiler_that_fails_without_an_error_is_a_problem() -> None:
    done = subprocess.CompletedProcess([], 1, "", "no such file")
    (problem,) = types.sentences(CLIENT, [], done)
    assert "tsc ended with 1: no such file" in problem


def test_the_page_is_written_once() -> None:
    reports = [Report("some", PASSED)]
    accepted = {CLIENT: Exceptions((Missing("some", "call", "because"),))}
    page = document.written(reports, accepted, document.PAGE.read_text())
    assert "| some | `call` | because |" in page
    assert document.written(reports, accepted, page) == page


def test_the_page_has_a_column_for_each_client_and_what_is_accepted_of_it() -> None:
    """The documentation lists every client that runs and every exception, as they are now."""
    page = document.PAGE.read_text()
    assert f"| step | {' | '.join(client.name for client in CLIENTS)} |" in page
    for client in CLIENTS:
        accepted = exceptions(client.name)
        assert all(f"| {client.name} | `{one.call}` | {one.why} |" in page for one in accepted.missing)
        assert all(one.why in page for one in accepted.uncompared)


def test_each_script_is_there_and_the_versions_are_pinned_without_an_address() -> None:
    pinned = json.loads((NODE / "package.json").read_text())["dependencies"]
    assert all(version[0].isdigit() for version in pinned.values())
    assert "resolved" not in (NODE / "package-lock.json").read_text()
    for client in CLIENTS:
        assert client.path.is_file()
        assert client.package in pinned or "==" in client.package
