"""The Chromium that is installed, with nothing of a user's in it."""

from __future__ import annotations

import shutil

import pytest
from playwright.async_api import Browser, Playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


async def launch(playwright: Playwright) -> Browser:
    """Start it without a window, in a new profile; skip the test where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed (looked for chromium and chromium-browser on the PATH)")
    return await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
