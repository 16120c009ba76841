"""A page token leads back to its place, and nothing else is taken for one."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensqt.connector.rpc import page_token
from opensqt.model.errors import InvalidRequest

ASKED = ("fills", "BTCUSDT", 5)


def token_of(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@given(st.integers(0, 2**63 - 1), st.lists(st.text(max_size=20), max_size=50))
@settings(max_examples=100)
def test_a_place_comes_back_as_it_was(at_ms: int, names: list[str]) -> None:
    assert page_token.read(page_token.write(ASKED, [at_ms], names), ASKED, numbers=1) == ([at_ms], names)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "nonsense",
        "ünïcode",
        "a" * 100_000,
        token_of([list(ASKED)]),
        token_of([list(ASKED), [5]]),
        token_of([list(ASKED), [], []]),
        token_of([list(ASKED), [5, 6], []]),
        token_of([list(ASKED), ["5"], []]),
        token_of([list(ASKED), [True], []]),
        token_of([list(ASKED), [-1], []]),
        token_of([list(ASKED), [2**63], []]),
        token_of([list(ASKED), [5.0], []]),
        token_of([list(ASKED), [5], [7]]),
        token_of([list(ASKED), [5], "names"]),
        token_of([list(ASKED), 5, []]),
        token_of([["fills", "BTCUSDT", 6], [5], []]),
        token_of([["klines", "BTCUSDT", 5], [5], []]),
        token_of({"a": 1}),
        token_of(7),
        page_token.write(ASKED, [5], ["name"])[:-3],
    ],
)
def test_what_is_no_token_of_this_list_is_refused_by_field_value_and_what_was_expected(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        page_token.read(text, ASKED, numbers=1)
    assert caught.value.message.startswith(f"page_token '{text[:20]}")
    assert "expected next_page_token of an earlier response to the same request" in caught.value.message
    assert len(caught.value.message) < 200


@given(st.text(max_size=300))
@settings(max_examples=300)
def test_any_text_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(InvalidRequest):
        page_token.read(text, ASKED, numbers=1)


@pytest.mark.parametrize("size", [-1, 1001])
def test_a_page_size_outside_its_bounds_is_refused(size: int) -> None:
    with pytest.raises(InvalidRequest, match=f"page_size {size}: expected 1 to 1000, or 0 for no pages"):
        page_token.check(size, "")


def test_a_token_without_a_page_size_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="page_size 0: expected 1 to 1000 where page_token is given"):
        page_token.check(0, "abc")


@pytest.mark.parametrize(("size", "token"), [(0, ""), (1, ""), (1000, "abc")])
def test_a_page_size_within_its_bounds_passes(size: int, token: str) -> None:
    page_token.check(size, token)
