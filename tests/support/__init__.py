"""What tests of every kind share: waiting for a condition, and real processes of ours."""

from tests.support.process import Process, start
from tests.support.wait import eventually, required

__all__ = ["Process", "eventually", "required", "start"]
