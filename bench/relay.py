"""What the partners of `bench.waiting` do, wherever they run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import stmpy as stm


def answer_in_blocks(name: str) -> None:
    """Answers each question with the time at which it was there; -1 is the last."""
    question: stm.TRef[tuple[int, float] | None] = stm.TRef(f"{name} question")
    reply: stm.TRef[tuple[int, float] | None] = stm.TRef(f"{name} reply")
    turn, asked = 0, 0.0

    @stm.atomically
    def take() -> tuple[int, float]:
        now = question.value
        if now is None or now[0] <= turn:
            stm.retry()
        return now

    @stm.atomically
    def give(woken: float) -> None:
        reply.value = (turn, woken)

    while asked >= 0:
        turn, asked = take()
        give(time.perf_counter())


def asking_in_blocks(name: str) -> Callable[[float], float]:
    """Asks, and waits for the answer."""
    question: stm.TRef[tuple[int, float] | None] = stm.TRef(f"{name} question")
    reply: stm.TRef[tuple[int, float] | None] = stm.TRef(f"{name} reply")
    turn = 0

    @stm.atomically
    def give(asked: float) -> None:
        question.value = (turn, asked)

    @stm.atomically
    def take() -> float:
        now = reply.value
        if now is None or now[0] < turn:
            stm.retry()
        return now[1]

    def ask(asked: float) -> float:
        nonlocal turn
        turn += 1
        give(asked)
        return take()

    return ask


def answer_by_queue(questions: Any, answers: Any) -> None:
    """The same over two queues."""
    while questions.get() >= 0:
        answers.put(time.perf_counter())


def asking_by_queue(questions: Any, answers: Any) -> Callable[[float], float]:
    def ask(asked: float) -> float:
        questions.put(asked)
        answer: float = answers.get()
        return answer

    return ask


def produce(name: str, count: int, batch: int) -> float:
    """Puts numbers in; returns the processor seconds it took."""
    line = stm.TQueue[int](name)
    cpu = time.thread_time()
    if batch == 1:
        for n in range(count):
            line.put(n)
    else:
        for n in range(0, count, batch):
            line.put_many(range(n, n + batch))
    return time.thread_time() - cpu


def consume(name: str, count: int, batch: int) -> float:
    """Gets them, and sees that they are in order."""
    line = stm.TQueue[int](name)
    cpu = time.thread_time()
    n = 0
    while n < count:
        items = [line.get()] if batch == 1 else line.get_many(batch)
        if items[0] != n:
            raise AssertionError(f"{items[0]} came instead of {n}")
        n += len(items)
    return time.thread_time() - cpu
