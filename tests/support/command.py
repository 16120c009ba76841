"""Our commands in this process: for what they refuse before they start anything, a process of its own shows no more."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

from tests.support.process import KEPT


def refusal(
    main: Callable[[Sequence[str]], int], *arguments: str, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run the *main* of a command that can't start; answer its exit code and all that it printed on stderr.

    As for a process, of the environment only *env* is handed down. Nothing may be printed on stdout.
    """
    stdout, stderr = io.StringIO(), io.StringIO()
    given = {name: value for name, value in os.environ.items() if name in KEPT} | dict(env or {})
    with patch.dict(os.environ, given, clear=True), redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            code = main(arguments)
        except SystemExit as ended:  # as argparse ends
            code = ended.code if isinstance(ended.code, int) else 1
    assert stdout.getvalue() == ""
    return code, stderr.getvalue()
