"""The twelve subjects of the contract suite."""

from __future__ import annotations

import pytest

from opensqt.testing.contract.bench import Subject
from tests.contract.subjects import SUBJECTS


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.name)
def contract_subject(request: pytest.FixtureRequest) -> Subject:
    return request.param
