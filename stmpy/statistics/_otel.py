"""The figures as OpenTelemetry wants them, through its API alone."""

from collections.abc import Callable, Iterator
from typing import Any

from stmpy.statistics._export import DISK_COUNTERS, DISK_GAUGES, GAUGES, OF_BLOCKS
from stmpy.statistics._model import Stats


def opentelemetry(read: Callable[[], Stats]) -> None:
    """Register the figures that `read` gives with the global meter provider, as `stmpy.…`.

    `read` is `store.stats`, or `read` of what `attach` returned; it is called at each collection.
    Raises ImportError if the package `opentelemetry-api` is not installed.
    """
    try:
        from opentelemetry import metrics
    except ImportError as missing:
        raise ImportError("opentelemetry: install the package opentelemetry-api") from missing
    meter = metrics.get_meter("stmpy")

    def of_blocks(value: Callable[[Any], float]) -> Callable[[Any], Iterator[Any]]:
        def observe(_: Any) -> Iterator[Any]:
            stats = read()
            for block in stats.blocks:
                labels = {"store": stats.store, "block": block.name}
                yield metrics.Observation(value(block), labels)

        return observe

    def of_store(value: Callable[[Stats], float]) -> Callable[[Any], Iterator[Any]]:
        def observe(_: Any) -> Iterator[Any]:
            stats = read()
            yield metrics.Observation(value(stats), {"store": stats.store})

        return observe

    def of_disk(value: Callable[[Any], float]) -> Callable[[Any], Iterator[Any]]:
        def observe(_: Any) -> Iterator[Any]:
            stats = read()
            if stats.durability is not None:
                yield metrics.Observation(value(stats.durability), {"store": stats.store})

        return observe

    counters = (*OF_BLOCKS, ("conflicts", "Attempts that were lost.", lambda b: b.conflicts))
    for name, about, value in counters:
        meter.create_observable_counter(f"stmpy.{name}", [of_blocks(value)], description=about)
    for name, about, total in GAUGES:
        meter.create_observable_gauge(f"stmpy.{name}", [of_store(total)], description=about)
    for name, about, value in DISK_GAUGES:
        meter.create_observable_gauge(f"stmpy.{name}", [of_disk(value)], description=about)
    for name, about, value in DISK_COUNTERS:
        meter.create_observable_counter(f"stmpy.{name}", [of_disk(value)], description=about)
