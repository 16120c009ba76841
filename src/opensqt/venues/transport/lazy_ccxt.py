"""Imports only the parts of ccxt that are used: saves half of a connector's memory and a second of its start.

`import ccxt.pro` runs three package files that import every exchange, as REST, as async REST and as WebSocket. The
packages in this module replace them. They import an exchange when its name is first used, and nothing else. Call
`install` only in a process of our own: other code in the process that imports ccxt gets these packages, too.
"""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_ERRORS = "ccxt.base.errors"
_BASES = {
    "ccxt": "ccxt.base.exchange",
    "ccxt.async_support": "ccxt.async_support.base.exchange",
    "ccxt.pro": "ccxt.async_support.base.exchange",
}
"""The packages, and the module with the base class of exchanges of each."""


def install() -> None:
    """Replace ccxt's packages with lazy ones. Does nothing if ccxt was imported before."""
    if "ccxt" in sys.modules:
        return
    path: list[str] | None = None
    for name in _BASES:
        found = PathFinder.find_spec(name, path)
        if found is None or found.submodule_search_locations is None:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)
        package = _Package(name, found)
        sys.modules[name] = package
        if name == "ccxt":
            path = list(package.__path__)
        else:
            setattr(sys.modules["ccxt"], name.removeprefix("ccxt."), package)


class _Package(ModuleType):
    """A package of ccxt: its errors, its base class, and each exchange as the class of its own module."""

    def __init__(self, name: str, spec: ModuleSpec) -> None:
        super().__init__(name)
        self.__path__ = list(spec.submodule_search_locations or ())
        self.__spec__ = spec
        self.__file__ = spec.origin
        self.__version__ = metadata.version("ccxt")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        errors = import_module(_ERRORS)
        if hasattr(errors, name):
            return getattr(errors, name)
        if name == "Exchange":
            return import_module(_BASES[self.__name__]).Exchange
        try:
            import_module(f"{self.__name__}.{name}")
        except ModuleNotFoundError as error:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from error
        return self.__dict__[name]

    def __setattr__(self, name: str, value: Any) -> None:
        # Importing a submodule binds the module here; ccxt's own package files bind the class of the same name instead.
        super().__setattr__(name, vars(value).get(name, value) if isinstance(value, ModuleType) else value)
