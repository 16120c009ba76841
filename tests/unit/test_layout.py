"""The folders of tests/unit are the packages of src, so that the tests of a package are found without a search."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
BESIDE = {"benchmarks"}
"""Code outside of src that has unit tests."""


def test_each_folder_is_a_package_of_src() -> None:
    folders = {
        path.parent.relative_to(ROOT / "tests" / "unit") for path in (ROOT / "tests" / "unit").rglob("test_*.py")
    }
    for folder in folders - {Path(name) for name in BESIDE}:
        assert (ROOT / "src" / "opensqt" / folder / "__init__.py").is_file(), f"tests/unit/{folder} has no package"
