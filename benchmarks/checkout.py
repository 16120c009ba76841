"""The sources of another build: a folder that is there, or a commit of this repository that is unpacked for the run."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parents[1]


@contextmanager
def checkout(build: str) -> Iterator[Path]:
    """Yield the folder of a build.

    Args:
        build: A folder with `src` in it, or the name of a commit.

    Raises:
        SystemExit: It is neither.
    """
    if Path(build, "src").is_dir():
        yield Path(build).resolve()
        return
    archive = subprocess.run(["git", "archive", build], cwd=HERE, capture_output=True, check=False)
    if archive.returncode:
        raise SystemExit(f"--other {build}: neither a folder with `src` in it nor a commit of this repository")
    with tempfile.TemporaryDirectory(prefix="opensqt-build-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as sources:
            sources.extractall(folder, filter="data")
        yield Path(folder)
