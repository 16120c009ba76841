"""Compile what the simulator returned against the types that a client's package declares.

An answer is a literal of TypeScript, so that a field that is missing, a number where the venue has text, and a value
that is not of an enumeration are errors of the compiler. A field that the package does not know is none, because venues
add fields.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.clients.catalogue import NODE, Client, Exceptions
from tests.clients.report import Answer, Report

_MOST_ITEMS = 20
"""Items of a list that are compiled: a list of a thousand candles shows no more than its first ones."""
_WITHIN_S = 300
_HEAD = """\
// The compared type, as deeply read-only as a literal is, without the fields N. Whatever is any stays any.
type Frozen<T, N = never> = 0 extends 1 & T ? any
    : T extends string | number | boolean | bigint | null | undefined ? T
    : T extends readonly (infer E)[]
    ? (number extends T['length'] ? readonly Frozen<E, N>[] : { readonly [K in keyof T]: Frozen<T[K], N> })
    : { readonly [K in keyof T as K extends N ? never : K]: Frozen<T[K], N> };
"""
_OPTIONS = (
    "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--target", "es2022", "--pretty", "false",
)  # fmt: skip
_LONG = re.compile(r"'[^']{60,}'")
"""A type that the compiler writes out."""
_ERROR = re.compile(r"answers\.ts\((\d+),\d+\): error (TS\d+: .*)")


def source(package: str, answers: Sequence[Answer], accepted: Exceptions) -> str:
    """Write the program that is compiled: two lines for each answer."""
    lines = [f"import type * as sdk from '{package}';", *_HEAD.splitlines()]
    for number, answer in enumerate(answers):
        literal = json.dumps(_shortened(answer.value), ensure_ascii=True)
        lines.append(f"const answer{number} = {literal} as const;")
        without = " | ".join(map(json.dumps, accepted.fields(answer.call))) or "never"
        lines.append(f"const typed{number}: Frozen<{answer.type}, {without}> = answer{number};")
    return "\n".join([*lines, "export {};", ""])


def problems(client: Client, report: Report, accepted: Exceptions) -> list[str]:
    """Return the compiler's errors, each once, with the call whose answer has it."""
    compared = (answer for answer in report.answers if "*" not in accepted.fields(answer.call))
    answers = [answer for answer in compared if answer.value is not None]
    if not answers:
        return [f"{client.name}: its script kept no answer of a type"]
    with tempfile.TemporaryDirectory(dir=NODE, prefix="answers-") as folder:
        file = Path(folder) / "answers.ts"
        file.write_text(source(client.package, answers, accepted))
        compiler = NODE / "node_modules" / ".bin" / "tsc"
        done = subprocess.run(
            [compiler, *_OPTIONS, file], cwd=folder, capture_output=True, text=True, timeout=_WITHIN_S, check=False
        )
    return sentences(client, answers, done)


def sentences(client: Client, answers: Sequence[Answer], done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the errors: of each, the innermost reason, which names the field."""
    first = len(_HEAD.splitlines()) + 2
    said: list[list[str]] = []
    for line in done.stdout.splitlines():
        if (found := _ERROR.match(line)) is not None:
            answer = answers[(int(found[1]) - first) // 2]
            said.append([f"{client.name}: type of {answer.call}", found[2]])
        elif line.startswith("  ") and said:
            said[-1].append(line)
    if done.returncode and not said:
        said.append([f"{client.name}: tsc ended with {done.returncode}", f"{done.stdout[:500]}{done.stderr[:500]}"])
    return list(dict.fromkeys(f"{lines[0]}: {_LONG.sub('{...}', lines[-1].strip())}" for lines in said))


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value[:_MOST_ITEMS]]
    return value
