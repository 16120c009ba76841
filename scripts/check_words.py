"""Refuse private words where the field has a term: in names, comments, docstrings, messages and documents.

scripts/forbidden_words.toml holds the words with the term to use instead. Ends with 1 and a line for each place.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/*.md",
    "docs/**/*.md",
    "configs/*",
    "proto/**/*.proto",
    "docs/*.yaml",
    "src/opensqt/live_server/static/*.*",
    "examples/**/*.go",
    "examples/*.ipynb",
    "scripts/*.sh",
    "findings/*",
    "Makefile",
    "pyproject.toml",
    "Dockerfile.*",
    "*.yml",
    ".github/**/*.yml",
)
SOURCES = ("src/opensqt/**/*.py", "examples/*.py", "scripts/*.py", "benchmarks/**/*.py")
GLOSSARY = ROOT / "docs" / "glossary.md"
"""It names the words that its terms replace."""
GENERATED = ROOT / "src" / "opensqt" / "proto"
SEGMENT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
PROSE = (tokenize.COMMENT, tokenize.STRING)


@dataclass(frozen=True)
class Word:
    """One entry of the list."""

    name: re.Pattern[str]
    prose: re.Pattern[str]
    instead: str


def read_list() -> list[Word]:
    """Return the words of forbidden_words.toml."""
    entries = tomllib.loads((ROOT / "scripts" / "forbidden_words.toml").read_text(encoding="utf-8"))["word"]
    return [
        Word(re.compile(entry["name"], re.IGNORECASE), re.compile(entry["prose"], re.IGNORECASE), entry["instead"])
        for entry in entries
    ]


def in_names(name: str, words: list[Word]) -> Iterator[tuple[str, Word]]:
    """Yield the segments of an identifier that are on the list."""
    for segment in SEGMENT.findall(name):
        for word in words:
            if word.name.fullmatch(segment):
                yield name, word


def in_prose(text: str, words: list[Word]) -> Iterator[tuple[int, str, Word]]:
    """Yield line offset, match and entry for each place in a text."""
    for word in words:
        for match in word.prose.finditer(text):
            yield text.count("\n", 0, match.start()), " ".join(match[0].split()), word


def check_source(path: Path, words: list[Word]) -> Iterator[tuple[int, str, Word]]:
    """Yield the places of a Python file."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.NAME:
            yield from ((token.start[0], name, word) for name, word in in_names(token.string, words))
        elif token.type in PROSE:
            yield from ((token.start[0] + line, found, word) for line, found, word in in_prose(token.string, words))


def check_document(path: Path, words: list[Word]) -> Iterator[tuple[int, str, Word]]:
    """Yield the places of a document."""
    yield from ((1 + line, found, word) for line, found, word in in_prose(path.read_text(encoding="utf-8"), words))


def files(patterns: tuple[str, ...]) -> list[Path]:
    """Return the files that match, each once."""
    return sorted({path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()})


def main() -> int:
    """Print each place; return 1 if there is one."""
    words = read_list()
    places = 0
    skipped = {Path(__file__)}
    for path in files(SOURCES):
        if path in skipped or GENERATED in path.parents:
            continue
        for line, found, word in check_source(path, words):
            print(f"{path.relative_to(ROOT)}:{line}: {found!r}: use {word.instead}")
            places += 1
    for path in files(DOCUMENTS):
        if path == GLOSSARY:
            continue
        for line, found, word in check_document(path, words):
            print(f"{path.relative_to(ROOT)}:{line}: {found!r}: use {word.instead}")
            places += 1
    if places:
        print(f"error: {places} places; see scripts/forbidden_words.toml and docs/glossary.md")
    return 1 if places else 0


if __name__ == "__main__":
    sys.exit(main())
