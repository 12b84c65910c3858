"""What waiting costs: waking up, queues between interpreters, and threads that are parked."""

from __future__ import annotations

import queue
import site
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

import stmpy as stm
from bench import relay, work
from bench.harness import (
    Alone,
    Answer,
    Case,
    Effort,
    Measured,
    Row,
    Spread,
    Timing,
    limit_row,
    measure,
    quotient,
    ratio_row,
)
from bench.peers.drive import attempt
from bench.turns import ROOT

PARKED = 1_000
PAUSE = 0.0005  # seconds until a partner is parked again


class Partner:
    """Asks somebody in another thread or interpreter, who answers with the time it woke up at.

    `measure` counts round trips. `wake_ups` are the seconds from before the question's commit until
    the partner has it, from a partner that was left alone for `pause` seconds.
    """

    participants = 2
    parallel = 0

    def __init__(self, layout: str, ask: Callable[[float], float], end: Callable[[], object]):
        self.layout, self.ask, self.end = layout, ask, end
        self.pause = 0.0
        self.wake_ups: list[float] = []

    def measure(self, seconds: float) -> Timing:
        began, waited, count = time.perf_counter(), 0.0, 0
        cpu = time.process_time()
        while count == 0 or time.perf_counter() - began < seconds:
            if self.pause:
                paused = time.perf_counter()
                time.sleep(self.pause)
                waited += time.perf_counter() - paused
            asked = time.perf_counter()
            self.wake_ups.append(self.ask(asked) - asked)
            count += 1
        took = time.perf_counter() - began - waited
        return Timing(count, took, time.process_time() - cpu)

    def close(self) -> None:
        self.end()


def blocks(pause: float = 0.0) -> Partner:
    """Two interpreters and two `TRef`s; the one who waits is parked."""
    pool = stm.InterpreterPool(1, initializer=site.addsitedir, initargs=(str(ROOT),))
    name = f"bench relay {pause}"
    running = pool.submit(relay.answer_in_blocks, name)
    ask = relay.asking_in_blocks(name)

    def end() -> None:
        ask(-1.0)
        running.result()
        pool.shutdown()

    partner = Partner("2 interpreters", ask, end)
    partner.pause = pause
    return partner


def interpreters_queue() -> Partner:
    """Two interpreters and two `concurrent.interpreters.Queue`s, which poll."""
    interpreters = import_module("concurrent.interpreters")  # CPython 3.14 and later
    questions, answers = interpreters.create_queue(), interpreters.create_queue()
    other = interpreters.create()
    other.call(site.addsitedir, str(ROOT))
    thread = threading.Thread(
        target=other.call, args=(relay.answer_by_queue, questions, answers), daemon=True
    )
    thread.start()

    def end() -> None:
        questions.put(-1.0)
        thread.join()
        other.close()

    return Partner("2 interpreters", relay.asking_by_queue(questions, answers), end)


def simple_queue() -> Partner:
    """Two threads and two `queue.SimpleQueue`s."""
    questions: queue.SimpleQueue[float] = queue.SimpleQueue()
    answers: queue.SimpleQueue[float] = queue.SimpleQueue()
    thread = threading.Thread(target=relay.answer_by_queue, args=(questions, answers))
    thread.start()

    def end() -> None:
        questions.put(-1.0)
        thread.join()

    return Partner("2 threads", relay.asking_by_queue(questions, answers), end)


class Line:
    """A producer and a consumer in two interpreters; counts items."""

    layout = "2 interpreters"
    participants = 2
    parallel = 2

    def __init__(self, batch: int, count: int) -> None:
        self.batch, self.count = batch, count
        self.pool = stm.InterpreterPool(2, initializer=site.addsitedir, initargs=(str(ROOT),))

    def measure(self, seconds: float) -> Timing:
        args = (f"bench line {self.batch}", self.count, self.batch)
        began = time.perf_counter()
        running = [self.pool.submit(fn, *args) for fn in (relay.consume, relay.produce)]
        cpu = sum(one.result() for one in running)
        return Timing(self.count, time.perf_counter() - began, cpu)

    def close(self) -> None:
        self.pool.shutdown()


class Crowd:
    """Threads that are parked in a store of their own, each on a key of its own."""

    def __init__(self, count: int) -> None:
        self.store = stm.open(max_bytes=64 << 20)
        self.table = self.store.TVar("table")
        self.looked = threading.Semaphore(0)
        self.threads = [threading.Thread(target=self._wait, args=(i,)) for i in range(count)]
        for thread in self.threads:
            thread.start()
        for _ in self.threads:
            self.looked.acquire()
        time.sleep(0.1)  # from the look to the park is not long

    def _wait(self, key: int) -> None:
        def wait() -> None:
            there = key in self.table
            self.looked.release()
            stm.check(there)

        with suppress(stm.StoreClosed):
            self.store.run(wait)

    def cpu_while_asleep(self, seconds: float) -> float:
        """Processor seconds that the first of them uses meanwhile."""
        ident = self.threads[0].ident
        assert ident is not None
        clock = time.pthread_getcpuclockid(ident)
        before = time.clock_gettime(clock)
        time.sleep(seconds)
        return time.clock_gettime(clock) - before

    def close(self) -> None:
        self.store.close()
        for thread in self.threads:
            thread.join()


def wake_up_rows(alone: Partner, measured: dict[str, Measured]) -> list[Row]:
    micro = sorted(seconds * 1e6 for seconds in alone.wake_ups)
    half, most = statistics.median(micro), micro[int(len(micro) * 0.99)]
    title = "round trips of concurrent.interpreters.Queue : of two blocks"
    return [
        limit_row("wake-up from parked, p50", Spread(half, half, half), "µs", 30),
        Row("wake-up from parked, p99", Spread(most, most, most), "µs"),
        ratio_row(title, measured, "interpreters.Queue round trip", "block round trip", least=200),
        shown("block round trip : of queue.SimpleQueue between threads", measured),
    ]


def shown(title: str, measured: dict[str, Measured]) -> Row:
    above, below = measured["block round trip"], measured["SimpleQueue round trip"]
    if above.error or below.error:
        return Row(title, None, "×", note=above.error or below.error or "")
    return Row(title, quotient(above, below), "×")


def rate_row(title: str, case: Measured, least: float) -> Row:
    """Items per second."""
    target = f"≥ {least:,.0f}/s"
    if case.error:
        return Row(title, None, "/s", target, note=case.error)
    value = Spread.of(one.operations / one.seconds for one in case.timings)
    by_cpu = Spread.of(case.parallel * one.operations / one.cpu_seconds for one in case.timings)
    return Row(title, value, "/s", target, value.median >= least, by_cpu)


def answer(effort: Effort) -> Answer:
    tiny = effort == Effort.tiny()
    items = 2_000 if tiny else 100_000
    crowd, nobody = Crowd(20 if tiny else PARKED), Crowd(0)
    alone = blocks(PAUSE)
    cases: dict[str, Case | Exception] = {
        "block wake-up": alone,
        "block round trip": blocks(),
        "interpreters.Queue round trip": attempt(interpreters_queue),
        "SimpleQueue round trip": simple_queue(),
        "TQueue, one at a time": Line(1, items),
        "TQueue, batches of 100": Line(100, items),
        "commit beside nobody": Alone(work.increment_in(nobody.store)),
        "commit beside parked threads": Alone(work.increment_in(crowd.store)),
    }
    measured = measure(cases, effort)
    asleep = crowd.cpu_while_asleep(0.1 if tiny else 2.0) * 1e3
    crowd.close()
    nobody.close()
    return Answer(
        measured,
        [
            *wake_up_rows(alone, measured),
            rate_row("TQueue, one at a time", measured["TQueue, one at a time"], 150_000),
            rate_row("TQueue, batches of 100", measured["TQueue, batches of 100"], 500_000),
            limit_row("processor time of a parked thread, 2 s", Spread(asleep, asleep, asleep),
                      "ms", 1),
            ratio_row(f"commit beside {PARKED:,} parked threads : beside nobody", measured,
                      "commit beside parked threads", "commit beside nobody", most=1.05),
        ],
    )  # fmt: skip
