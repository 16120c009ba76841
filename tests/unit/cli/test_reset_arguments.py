"""The arguments of `opensqt reset`."""

from __future__ import annotations

import argparse

import pytest

from opensqt.cli import control


@pytest.mark.parametrize("name", ["breaker", "take-venue"])
@pytest.mark.parametrize("order", ["{0} --config f", "--config f {0}", "--config f {0} --yes", "--yes --config f {0}"])
@pytest.mark.parametrize("form", ["{}", "--{}"])
def test_a_reset_is_named_in_any_order(name: str, order: str, form: str) -> None:
    """F48: `opensqt reset --config FILE --take-venue` is the same as `take-venue` wherever it stands."""
    parser = argparse.ArgumentParser()
    control.add_reset(parser)
    assert parser.parse_args(order.format(form.format(name)).split()).name == name


def test_without_a_name_nothing_is_reset() -> None:
    """A reset without a name lists what can be reset."""
    parser = argparse.ArgumentParser()
    control.add_reset(parser)
    assert parser.parse_args(["--config", "f", "--yes"]).name == ""
