"""ccxt without the hundred exchanges that nobody asked for: half of a connector's memory and a second of its start.

`import ccxt.pro` runs three package files that import every exchange, as REST, as async REST and as WebSocket. The
packages that stand here in their place import an exchange when it is first named, and nothing else. Only a process
that is ours may do this, for whoever else imports ccxt there gets these, too.
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
"""The packages, and where each has its base class of exchanges."""


def install() -> None:
    """Have `import ccxt` load what is used; does nothing once ccxt was imported."""
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
    """A package of ccxt: errors, the base class, and each exchange as the class of its own module."""

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
        # Importing a submodule binds it here; ccxt's own package files bind the class of the same name instead.
        super().__setattr__(name, vars(value).get(name, value) if isinstance(value, ModuleType) else value)
