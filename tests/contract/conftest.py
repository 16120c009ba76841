"""The ten subjects of the contract suite; with --large thirteen."""

from __future__ import annotations

import pytest

from tests.contract.subjects import LARGE_SUBJECTS, SUBJECTS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that needs a subject on each of them."""
    if "contract_subject" in metafunc.fixturenames:
        subjects = (*SUBJECTS, *LARGE_SUBJECTS) if metafunc.config.getoption("--large") else SUBJECTS
        metafunc.parametrize("contract_subject", subjects, ids=[subject.name for subject in subjects])
