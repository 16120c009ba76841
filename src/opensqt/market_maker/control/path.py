"""Where the control socket of a market maker is."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from opensqt.config.market_maker import MarketMakerSettings

_LONGEST_PATH = 100
"""Bytes of a socket's path; the system takes about 107."""
_PASSWORD = re.compile(r"//[^@/]*@")


def control_path(settings: MarketMakerSettings) -> Path:
    """Return where the control socket is: beside the database, or in a folder of this user.

    The second is for PostgreSQL, and where the first would be too long for a socket. Of several symbols the first one
    names it: whoever listens there holds that grid.
    """
    if settings.system.control_socket:
        return Path(settings.system.control_socket)
    symbol, url = settings.symbols[0], settings.app.database_url
    file = url.removeprefix("sqlite:///").partition("?")[0] if url.startswith("sqlite:///") else ""
    if file and file != ":memory:":
        beside = Path(f"{file}.{symbol}.control")
        if len(os.fsencode(beside.absolute())) <= _LONGEST_PATH:
            return beside
        what = str(Path(file).absolute())
    else:
        what = _PASSWORD.sub("//", url)
    name = hashlib.sha256(f"{what} {symbol}".encode()).hexdigest()[:16]
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "opensqt" if runtime else Path(tempfile.gettempdir()) / f"opensqt-{os.getuid()}"
    return folder / f"{name}.control"
