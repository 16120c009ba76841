"""Files are taken up again when they have changed and settled; a bad one leaves the one before in use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from opensqt.connector.reload import files
from opensqt.connector.reload.files import Reloads
from opensqt.model.errors import ConfigError, CredentialsRefused, Unreachable
from tests.support import eventually


class Source:
    """A file, and what was taken up from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.taken: list[str] = []
        self.error: Exception | None = None
        path.write_text("first")

    async def load(self) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append(self.path.read_text())


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "file")


@pytest.fixture
def reloads(source: Source) -> Reloads:
    made = Reloads()
    made.add("thing", [source.path], source.load)
    return made


async def look(reloads: Reloads, times: int = 1) -> None:
    for _ in range(times):
        await reloads.look()


async def test_nothing_is_taken_up_while_nothing_changes(source: Source, reloads: Reloads) -> None:
    await look(reloads, 3)
    assert source.taken == []


async def test_a_change_counts_once_it_has_settled(source: Source, reloads: Reloads) -> None:
    source.path.write_text("half of it")
    await look(reloads)
    source.path.write_text("all of it, at last")
    await look(reloads)
    assert source.taken == []
    await look(reloads, 3)
    assert source.taken == ["all of it, at last"]


@pytest.mark.parametrize(
    "replace",
    [
        lambda path: (path.with_name("new").write_text("other"), path.with_name("new").replace(path)),
        lambda path: path.unlink(),
    ],
    ids=["renamed over", "gone"],
)
async def test_a_file_that_was_replaced_or_went_away_has_changed(
    source: Source, reloads: Reloads, replace: Callable[[Path], object]
) -> None:
    replace(source.path)
    source.error = ConfigError("seen")
    await look(reloads, 2)
    assert [check.name for check in reloads.checks()] == ["configuration:thing"]


async def test_what_was_asked_for_is_taken_up_at_once_changed_or_not(source: Source, reloads: Reloads) -> None:
    running = asyncio.create_task(reloads.run())
    reloads.at_once()
    await eventually(lambda: source.taken)
    running.cancel()
    assert source.taken == ["first"]


async def test_a_bad_file_is_told_without_failing_until_a_good_one_comes(source: Source, reloads: Reloads) -> None:
    source.error = ConfigError("file: field: 'value': expected another")
    source.path.write_text("bad")
    await look(reloads, 3)
    (check,) = reloads.checks()
    assert (check.name, check.ok) == ("configuration:thing", True)
    assert check.reason == "file: field: 'value': expected another (what was in use before still is)"
    assert check.since_ms
    source.error = None
    source.path.write_text("good again")
    await look(reloads, 2)
    assert (source.taken, reloads.checks()) == (["good again"], [])


@pytest.mark.parametrize(
    ("error", "tries"), [(Unreachable("the venue is away"), 2), (CredentialsRefused("a wrong key"), 1)]
)
async def test_only_what_may_pass_by_itself_is_tried_again(
    source: Source, reloads: Reloads, monkeypatch: pytest.MonkeyPatch, error: Exception, tries: int
) -> None:
    now, tried = [1_000_000], []
    monkeypatch.setattr(files, "now_ms", lambda: now[0])

    async def load() -> None:
        tried.append(now[0])
        raise error

    reloads.sources[0].load = load
    await reloads.look(everything=True)
    now[0] += 60_000
    await look(reloads)
    assert len(tried) == tries
