"""Every command writes JSON on request, for scripts."""

from __future__ import annotations

import re

import pytest

from opensqt.cli.__main__ import main

WITH_ACTIONS = ("alert", "audit", "token")


def listed(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """The help of a command."""
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def commands(text: str) -> list[str]:
    """The names in the list of a help text."""
    part = text.partition("positional arguments:")[2].partition("options:")[0]
    return re.findall(r"^    ([a-z][a-z-]*)", part, re.MULTILINE)


def test_every_command_takes_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    found = [(name,) for name in commands(listed(capsys)) if name not in WITH_ACTIONS]
    found += [(name, action) for name in WITH_ACTIONS for action in commands(listed(capsys, name))]
    assert len(found) > 15
    assert [" ".join(one) for one in found if "--json" not in listed(capsys, *one)] == []
