"""What is shipped beside the code: the compose file, the images' files, the Makefile's search for a Python."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("exchange_connector", "market_maker", "live_server")


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.grpc.yml").read_text())["services"]


def instructions(service: str) -> list[str]:
    text = (ROOT / f"Dockerfile.{service}").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_runs_unprivileged_stops_in_order_and_tells_its_health(service: str) -> None:
    final = "\n".join(instructions(service)).rsplit("\nFROM ", 1)[1]
    assert "\nSTOPSIGNAL SIGTERM" in final
    assert "\nHEALTHCHECK " in final
    user = re.search(r"^USER (\S+)$", final, re.MULTILINE)
    assert user is not None
    assert user[1] not in ("root", "0")
    assert final.index("\nUSER ") < final.index("\nCMD ")


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_takes_its_dependencies_hash_by_hash(service: str) -> None:
    text = "\n".join(instructions(service))
    assert "--require-hashes -r requirements.lock" in text
    assert "pip install --no-cache-dir --no-deps ." in text


@pytest.mark.parametrize("service", SERVICES)
def test_the_base_of_an_image_is_pinned_by_its_digest(service: str) -> None:
    (base,) = (line for line in instructions(service) if line.startswith("ARG PYTHON_IMAGE="))
    assert re.fullmatch(r"ARG PYTHON_IMAGE=python:3\.\d+\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base)


def test_every_image_has_the_same_base() -> None:
    assert len({line for one in SERVICES for line in instructions(one) if line.startswith("ARG PYTHON_IMAGE=")}) == 1


def test_every_action_is_pinned_by_its_commit() -> None:
    """A tag can be moved to other code; a commit can't. The version stands behind it for people."""
    files = sorted((ROOT / ".github" / "workflows").iterdir())
    used = [line for file in files for line in file.read_text().splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_base_can_be_replaced(service: str) -> None:
    bases = [line for line in instructions(service) if line.startswith("FROM ")]
    assert all("${PYTHON_IMAGE}" in base or "${PROBE_IMAGE}" in base for base in bases)


def test_the_clients_wait_for_a_healthy_connector(compose: dict) -> None:
    for client in ("market_maker", "live_server"):
        for suffix in ("", "_simulated"):
            wanted = {f"exchange_connector{suffix}": {"condition": "service_healthy"}}
            assert compose[client + suffix]["depends_on"] == wanted


def test_only_the_connector_sees_a_key(compose: dict) -> None:
    """F33: no secret shows in a log, an error or a page."""
    seen = {name for name, service in compose.items() if any("API_" in key for key in service["environment"])}
    assert seen == {"exchange_connector"}


def test_every_port_is_published_on_loopback_only(compose: dict) -> None:
    ports = [port for service in compose.values() for port in service["ports"]]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.rsplit(":", 1)[0] for port in ports}) == len(ports)


def test_the_simulated_services_share_nothing_with_the_real_ones(compose: dict) -> None:
    simulated = [service for name, service in compose.items() if name.endswith("_simulated")]
    assert len(simulated) == len(SERVICES)
    for service in simulated:
        assert service["profiles"] == ["simulated"]
        assert not any("_data" in volume for volume in service["volumes"])
    assert "--simulated" in compose["exchange_connector_simulated"]["command"]


def test_compose_takes_the_file() -> None:
    program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    if shutil.which(program[0]) is None:
        pytest.skip("docker-compose is not installed")
    file = ROOT / "docker-compose.grpc.yml"
    for profile in ((), ("--profile", "simulated")):
        result = subprocess.run(
            [*program, "-f", str(file), *profile, "config"], capture_output=True, text=True, timeout=60
        )
        assert result.returncode == 0, result.stderr


def test_the_page_script_is_not_fetched_from_elsewhere_and_no_registry_is_named() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "web/package-lock.json"):
        assert not re.search(r"https?://", (ROOT / name).read_text()), name
    assert "integrity" in json.dumps(json.loads((ROOT / "web/package-lock.json").read_text()))


def find_python(tmp_path: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run the search on a PATH that has only these programs (name, with _ for the point: script)."""
    for name, script in programs.items():
        program = tmp_path / name.replace("_", ".")
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    env = {**os.environ, "PATH": str(tmp_path), "PYTHON": "python3"}
    shell = shutil.which("sh")
    assert shell is not None
    return subprocess.run([shell, str(ROOT / "scripts/find_python.sh")], capture_output=True, text=True, env=env)


OLD = 'case "$2" in *version_info\\[:2\\]*) echo 3.9;; *) exit 1;; esac'
GOOD = 'case "$2" in *version_info\\[:2\\]*) echo 3.12;; esac'
BARE = 'case "$2" in *version_info\\[:2\\]*) echo 3.12;; *ensurepip*) exit 1;; esac'


def test_a_newer_python_beside_an_old_python3_is_found(tmp_path: Path) -> None:
    result = find_python(tmp_path, python3=OLD, python3_12=GOOD)
    assert (result.returncode, result.stdout.strip()) == (0, str(tmp_path / "python3.12"))


def test_only_an_old_python_is_told_with_what_to_do(tmp_path: Path) -> None:
    result = find_python(tmp_path, python3=OLD)
    assert result.returncode == 2
    assert "Python 3.11 or later is needed; python3 is 3.9;" in result.stderr


def test_a_python_without_venv_is_told_with_what_to_install(tmp_path: Path) -> None:
    result = find_python(tmp_path, python3=BARE)
    assert result.returncode == 2
    assert "apt-get install python3.12-venv" in result.stderr


def test_no_python_at_all_is_told(tmp_path: Path) -> None:
    result = find_python(tmp_path)
    assert result.returncode == 2
    assert "no Python was found" in result.stderr
