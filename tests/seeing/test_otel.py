"""OpenTelemetry gets the figures through its API."""

import sys

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

import stmpy as stm
from stmpy.statistics import opentelemetry
from tests.seeing.planted import beat


def test_the_figures_arrive() -> None:
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    store = stm.open(max_bytes=1 << 20)
    opentelemetry(store.stats)
    beat(store, 20)
    data = reader.get_metrics_data()
    assert data is not None
    found = {
        (metric.name, (point.attributes or {}).get("block")): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
        if isinstance(point, NumberDataPoint)
    }
    assert found["stmpy.commits", "A"] == 20
    assert found["stmpy.conflicts", "B"] == 20
    assert found["stmpy.memory_limit_bytes", None] == 1 << 20


def test_without_the_api_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError, match="install the package opentelemetry-api"):
        opentelemetry(stm.stats)
