"""A `concurrent.interpreters.Queue` with one token as a lock over 64-bit ints in shared bytes.

What interpreters of one process have without stmpy; since CPython 3.14.
"""

from __future__ import annotations

from concurrent.futures import Executor
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.peers import serve
from bench.peers.serve import Locked, start_values


class Token:
    """Taking the one item out of the queue locks, putting it back unlocks."""

    def __init__(self, queue: Any) -> None:
        self.queue = queue

    def __enter__(self) -> None:
        self.queue.get()

    def __exit__(self, *_: object) -> None:
        self.queue.put(None)


class Shared(Locked):
    """The peer in an interpreter of its own."""

    def __init__(self, queue: Any, memory: memoryview) -> None:
        self.queue, self.memory = queue, memory

    def join(self) -> tuple[Token, memoryview[int]]:
        return Token(self.queue), self.memory.cast("q")


class Interpreters(Shared):
    def __init__(self, folder: Path) -> None:
        queue, values = import_module("concurrent.interpreters").create_queue(), start_values()
        super().__init__(queue, memoryview(bytearray(8 * len(values))))
        queue.put(None)
        with self.memory.cast("q") as d:
            for key, value in values.items():
                d[key] = value

    def pool(self, size: int) -> Executor:
        futures = import_module("concurrent.futures")
        made: Executor = futures.InterpreterPoolExecutor(
            size, initializer=begin, initargs=(self.queue, self.memory)
        )
        return made


def begin(queue: Any, memory: memoryview) -> None:
    """Makes the peer of an interpreter."""
    serve._peer = Shared(queue, memory)


if __name__ == "__main__":
    from bench.peers import queue_lock  # the interpreters have to find `begin` by this name

    serve.serve(queue_lock.Interpreters)
