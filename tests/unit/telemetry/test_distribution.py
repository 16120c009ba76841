"""A distribution tells what a Prometheus histogram would of the same values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from opensqt.telemetry.distribution import SECONDS, Distribution

VALUES = st.lists(st.one_of(st.floats(0, 100), st.sampled_from(SECONDS)), max_size=30)


@given(VALUES)
def test_its_buckets_are_those_of_a_histogram(values: list[float]) -> None:
    ours, theirs = Distribution(SECONDS), Histogram("x", "x", buckets=SECONDS, registry=CollectorRegistry())
    for value in values:
        ours.observe(value)
        theirs.observe(value)
    (family,) = theirs.collect()
    told = {sample.labels["le"]: sample.value for sample in family.samples if sample.name == "x_bucket"}
    assert dict(ours.buckets()) == told
    assert (ours.count, ours.total) == (len(values), sum(values))
