"""Redis: WATCH, MULTI and EXEC, again while they fail; a server of our own, on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import redis  # type: ignore[import-not-found]  # not in this environment

from bench.harness import Work
from bench.peers.serve import ACCOUNTS, COUNTER, Peer, pairs, same, serve, start_values


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Redis(Peer):
    layout = "processes"
    version = redis.__version__
    settings: ClassVar[dict[str, str]] = {}
    """What else its server is started with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start()
        self.join().mset({str(key): value for key, value in start_values().items()})

    def start(self) -> None:
        """Starts the server, and waits until it answers."""
        program = shutil.which("redis-server")
        if program is None:
            raise FileNotFoundError("redis-server is not installed")
        self.port = free_port()
        words = {"port": self.port, "bind": "127.0.0.1", "save": "", "dir": self.folder}
        options = [
            text for name, value in (words | self.settings).items()
            for text in (f"--{name}", str(value))
        ]  # fmt: skip
        self.server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        try:
            self._await()
        except BaseException:
            self.close()
            raise

    def _await(self) -> None:
        deadline = time.monotonic() + 10
        while True:
            try:
                self.join().ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > deadline or self.server.poll() is not None:
                    raise
                time.sleep(0.02)

    def join(self) -> Any:
        return redis.Redis(port=self.port)

    def close(self) -> None:
        self.server.terminate()
        self.server.wait()

    def increment(self, mine: Any, seed: int) -> Work:
        def run(n: int) -> None:
            for _ in range(n):
                change(mine, {str(COUNTER): 1})

        return run

    def read_ten(self, mine: Any, seed: int) -> Work:
        keys = [str(key) for key in range(10)]

        def run(n: int) -> None:
            for _ in range(n):
                [int(value) for value in mine.mget(keys)]

        return run

    def transfer(self, mine: Any, seed: int) -> Work:
        moves = pairs(seed)

        def run(n: int) -> None:
            for source, target in islice(moves, n):
                change(mine, {str(source): -1, str(target): 1})

        return run

    def total(self, mine: Any, seed: int) -> Work:
        keys = [str(key) for key in range(ACCOUNTS)]

        def run(n: int) -> None:
            for _ in range(n):
                same(sum(int(value) for value in mine.mget(keys)))

        return run


def change(mine: Any, by: dict[str, int]) -> None:
    """Adds to these keys, unless one of them changes meanwhile; then again."""

    def block(pipe: Any) -> None:
        old: Callable[[str], Any] = pipe.get
        new = {key: int(old(key)) + more for key, more in by.items()}
        pipe.multi()
        pipe.mset(new)

    mine.transaction(block, *by)


if __name__ == "__main__":
    serve(Redis)
