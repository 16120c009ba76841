"""The connector's token reaches every program by the same two variables, with and without a settings file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from opensqt.config import live_server, market_maker
from opensqt.config.remote import RemoteSettings, from_environment

ROOT = Path(__file__).parents[3]
TOKEN = "sqt_test"
Read = Callable[[Mapping[str, str]], RemoteSettings]


def program(settings: Any, file: str) -> dict[str, Read]:
    return {
        f"{file} by its defaults": lambda environ: settings.load_settings(None, environ=environ).exchanges.remote,
        f"{file} with its file": lambda environ: (
            settings.load_settings(ROOT / "configs" / file, environ=environ).exchanges.remote
        ),
    }


PROGRAMS: dict[str, Read] = {
    **program(market_maker, "config.yaml"),
    **program(live_server, "live_server.yaml"),
    "a script": lambda environ: from_environment({}, environ=environ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_token_is_taken_from_the_variable_that_the_documents_name(name: str) -> None:
    """docs/security.md: `CONNECTOR_TOKEN=sqt_... live-server`. Without a settings file it was not sent."""
    assert PROGRAMS[name]({"CONNECTOR_TOKEN": TOKEN}).token.get_secret_value() == TOKEN


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_token_is_taken_from_the_file_that_the_variable_names(name: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert PROGRAMS[name]({"CONNECTOR_TOKEN_FILE": str(file)}).token.get_secret_value() == TOKEN


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_the_variable_no_token_is_sent(name: str) -> None:
    assert PROGRAMS[name]({}).token.get_secret_value() == ""
