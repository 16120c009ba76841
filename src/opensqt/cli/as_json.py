"""Results of commands as JSON: the same facts as the text, amounts of money and coins as strings."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any


def print_json(value: Any) -> None:
    """Print a value on stdout."""
    print(json.dumps(plain(value), indent=2))


def plain(value: Any) -> Any:
    """Return a value as JSON has it: dataclasses as objects, decimals as text, enums by their value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(below) for key, below in value.items()}
    if isinstance(value, frozenset | set):
        return sorted(map(plain, value), key=str)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
