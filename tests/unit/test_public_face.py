"""What `import opensqt` offers: every promised name is there, and nothing is loaded before it is used."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import opensqt
from opensqt.client.exchange import RemoteExchange
from opensqt.model.exchange import Exchange

SOURCE = Path(opensqt.__file__)
OWN_WORDS = ("name", "start", "close")
"""What RemoteExchange says for itself."""


@pytest.mark.parametrize("name", opensqt.__all__)
def test_every_promised_name_is_there(name: str) -> None:
    assert getattr(opensqt, name) is not None
    assert name in dir(opensqt)


def test_every_imported_name_is_promised() -> None:
    """A name that mypy sees and the list leaves out would be private to a user's type checker."""
    imports = [node for node in ast.walk(ast.parse(SOURCE.read_text())) if isinstance(node, ast.ImportFrom)]
    names = {
        alias.asname or alias.name for node in imports if node.module.startswith("opensqt") for alias in node.names
    } - {"__version__"}
    assert names == set(opensqt.__all__)


def test_a_name_that_is_not_there_says_so() -> None:
    with pytest.raises(AttributeError, match="module 'opensqt' has no attribute 'conect'"):
        opensqt.conect  # noqa: B018 - looking it up is the test


def test_importing_opensqt_loads_neither_grpc_nor_settings() -> None:
    code = "import opensqt, sys; print(sorted({'grpc', 'pydantic', 'structlog', 'ccxt'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_package_says_that_it_is_typed() -> None:
    assert (SOURCE.parent / "py.typed").is_file()


@pytest.mark.parametrize("name", [name for name in vars(Exchange) if not name.startswith("_")])
def test_help_on_a_method_tells_what_the_protocol_tells(name: str) -> None:
    said = inspect.getdoc(getattr(Exchange, name))
    for kind in (RemoteExchange, opensqt.SyncExchange):
        assert name in OWN_WORDS or inspect.getdoc(getattr(kind, name)).startswith(said)
