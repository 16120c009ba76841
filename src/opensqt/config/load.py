"""Load one settings file into its pydantic model, with the environment and the command line on top.

Order, last one wins: the model's defaults, the file, the named shortcuts (EXCHANGE, SYMBOL, ...),
OPENSQT__SECTION__KEY, then the flags of the command line. Numbers are read as text and given their type by the model,
so that a price never passes through a float and a passphrase of digits keeps its zeros.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from opensqt.model.errors import ConfigError

M = TypeVar("M", bound=BaseModel)
Tree = dict[str, Any]

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SECRET_KEY = re.compile(r"key|secret|passphrase|token|password|database_url|alerts\.targets", re.IGNORECASE)
_SECTION_EXPECTED = ("model_type", "model_attributes_type", "dict_type", "dataclass_type")
_ERROR_TEXTS = {
    "tuple_type": "expected a list, such as [A, B]",
    "list_type": "expected a list, such as [A, B]",
    "timezone_aware": "expected a date and time with its zone, such as 2027-06-30T00:00:00Z",
}
"""Texts for errors that pydantic describes in its own terms."""
_PREFIX = "OPENSQT__"


class Section(BaseModel):
    """The base of every settings model: unknown keys are errors, values don't change."""

    # Without use_attribute_docstrings: pydantic then reads and parses the source of each class at every start.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class _Loader(yaml.SafeLoader):
    """Reads numbers and dates as text, and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _AS_TEXT]
    for _AS_TEXT in [{f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "timestamp")}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(
    model: type[M],
    path: Path | None,
    *,
    environ: Mapping[str, str] = os.environ,
    shortcuts: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    prepare: Callable[[Tree], Tree] = lambda tree: tree,
    opened: Callable[[Path], None] = lambda _path: None,
) -> M:
    """Read *path* and the environment into *model*.

    Args:
        model: A `Section` whose fields are the file's top-level keys.
        path: The YAML file; None starts from an empty one.
        environ: The environment; `NAME_FILE` is read where `NAME` is not set.
        shortcuts: Variable name to dotted key, e.g. `{"SYMBOL": "trading.symbol"}`.
        flags: Dotted key to the value of its command-line flag, e.g. `{"server.port": arguments.port}`; None where
            the flag was not given.
        prepare: Changes the tree before variables are expanded, such as dropping unused sections.
        opened: Called with each file that was read.

    Raises:
        ConfigError: Naming the file, the key and what was expected.
    """
    source = str(path) if path is not None else "settings"
    tree = _read(path) if path is not None else {}
    if path is not None:
        opened(path)
    for name, dotted in (shortcuts or {}).items():
        value = read_variable(name, environ, opened=opened)
        if value is not None:
            _put(tree, dotted.split("."), value, name)
    for name, value in environ.items():
        if name.startswith(_PREFIX):
            _put(tree, name.removeprefix(_PREFIX).lower().split("__"), _scalar(value), name)
    for dotted, value in (flags or {}).items():
        if value is not None:
            _put(tree, dotted.split("."), _flag(value), "command line")
    tree = _expand(prepare(tree), (), source, lambda name: read_variable(name, environ, opened=opened))
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_explain(error, model, source, tree)) from None


def read_variable(
    name: str, environ: Mapping[str, str] = os.environ, *, opened: Callable[[Path], None] = lambda _path: None
) -> str | None:
    """Return the variable *name*, or the content of the file that `NAME_FILE` names, or None.

    Raises:
        ConfigError: `NAME_FILE` names a file that can't be read.
    """
    if name in environ:
        return environ[name]
    file = environ.get(f"{name}_FILE")
    if file is None:
        return None
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{name}_FILE: {file!r} can't be read: {error.strerror}") from None
    opened(Path(file))
    return text


def _read(path: Path) -> Tree:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}; give another with --config") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected UTF-8 text") from None
    try:
        tree = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError(f"{path}: line {line}: not valid YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected keys and values at the top, found {type(tree).__name__}")
    return tree


def _scalar(text: str) -> Any:
    """Return a variable's value: YAML when it looks like a list or a section, else text."""
    if not text.startswith(("[", "{")):
        return text
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError:
        return text


def _flag(value: Any) -> Any:
    """Return a flag's value: the text null is no value, and a list is written as in YAML."""
    if not isinstance(value, str):
        return value
    return None if value == "null" else _scalar(value)


def _put(tree: Tree, keys: list[str], value: Any, name: str) -> None:
    for key in keys[:-1]:
        below = tree.get(key)
        if below is None:  # not there, or a section without a key
            below = tree[key] = {}
        if not isinstance(below, dict):
            raise ConfigError(f"{name}: {key} is not a section")
        tree = below
    tree[keys[-1]] = value


def _expand(value: Any, keys: tuple[str, ...], source: str, read: Callable[[str], str | None]) -> Any:
    if isinstance(value, dict):
        return {key: _expand(below, (*keys, str(key)), source, read) for key, below in value.items()}
    if isinstance(value, list):
        return [_expand(item, (*keys, str(index)), source, read) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        found = read(match[1])
        if found is None:
            found = match[2]
        if found is None:
            raise ConfigError(
                f"{source}: {'.'.join(keys)}: the variable {match[1]} is not set;"
                f" set it, or write ${{{match[1]}:-default}}"
            )
        return found

    return _VARIABLE.sub(replace, value)


def _explain(error: ValidationError, model: type[BaseModel], source: str, tree: Tree) -> str:
    lines = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"]) or "(top)"
        if item["type"] == "extra_forbidden":
            known = _fields(model, item["loc"][:-1])
            near = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(sorted(known))}"
            # Redaction takes a long word right after `token:` for the token, so both sentences begin with a short one.
            lines.append(f"{source}: {key}: no such key; {hint}")
        elif item["type"] == "missing":
            lines.append(f"{source}: {key}: is missing; it has no default")
        else:
            message = item["msg"].removeprefix("Value error, ").replace("Input should be ", "expected ", 1)
            message = _ERROR_TEXTS.get(item["type"], message)
            lines.append(f"{source}: {key}: {_describe_value(key, item['type'], tree, item['loc'])}: {message}")
    return "; ".join(lines)


def _fields(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the section at *loc*; none where it is not a section."""
    kind: Any = model
    for part in loc:
        if _is_section(kind):
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field else None
        else:  # a list's or a mapping's item
            kind = next((option for option in reversed(get_args(kind)) if option is not Ellipsis), None)
        kind = next((option for option in get_args(kind) if _is_section(option)), kind) if _is_union(kind) else kind
    return list(kind.model_fields) if _is_section(kind) else []


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _contains_sections(value: Any) -> bool:
    """Return whether a value contains sections: to show it would show other keys and values as well."""
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_contains_sections, value)))


def _describe_value(key: str, wrong: str, tree: Any, loc: tuple[int | str, ...]) -> str:
    """Return the value as an error may show it, without secrets: text in place of a section may be one."""
    for part in loc:
        try:
            tree = tree[part]
        except KeyError:
            return "not set"
        except (IndexError, TypeError):
            break
    secret = _SECRET_KEY.search(key) and not key.endswith("_file")
    return type(tree).__name__ if secret or wrong in _SECTION_EXPECTED or _contains_sections(tree) else repr(tree)
