"""Run one client's scenario, in its own process, against a simulator of its venue in another."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.clients.catalogue import Client
from tests.clients.report import Report, read
from tests.support.process import run_command, start

_WITHIN_S = 600


async def run(client: Client, command: tuple[str, ...]) -> tuple[Report, str]:
    """Return the report of a client, and what its script printed; *command* runs the script.

    Raises:
        AssertionError: The script ended without a report.
    """
    with tempfile.TemporaryDirectory(prefix="opensqt-clients-") as folder:
        file = Path(folder) / "report.json"
        async with start("opensqt.simulator", "--exchange", client.venue, "--port", "0", forked=False) as simulator:
            address = f"http://{await simulator.ready()}"
            environment = {"SIMULATOR": address, "REPORT": str(file), "VENUE": client.venue, "CLIENT": client.name}
            script = (*command, client.path)
            _, output = await run_command(*script, env=environment, within_s=_WITHIN_S, cwd=Path(folder))
        if not file.is_file():
            raise AssertionError(f"{client.name}: its script ended without a report:\n{output}")
        return read(file.read_text()), output
