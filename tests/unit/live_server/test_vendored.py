"""The page's chart library is the one that is pinned, and its lock names no registry."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from opensqt.live_server.http import STATIC

ROOT = Path(__file__).parents[3]


def test_what_is_served_has_the_hashes_that_the_build_pins():
    pinned = (ROOT / "hatch_build.py").read_text()
    served = sorted((STATIC / "vendor").iterdir())
    assert [file.name for file in served] == ["lightweight-charts.LICENSE", "lightweight-charts.mjs"]
    for file in served:
        assert hashlib.sha256(file.read_bytes()).hexdigest() in pinned


def test_every_npm_package_is_locked_by_content_and_not_by_address():
    packages = json.loads((ROOT / "web" / "package-lock.json").read_text())["packages"]
    locked = {name: entry for name, entry in packages.items() if name}
    assert locked
    for entry in locked.values():
        assert entry["integrity"].startswith("sha512-")
        assert "resolved" not in entry
