"""Redis with `appendfsync always`: a SET for each commit, a sync for all that come together."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from bench.peers.disk import Commit, DiskPeer
from bench.peers.redis import Redis
from bench.peers.serve import serve


class DiskRedis(DiskPeer):
    version = Redis.version

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.server = Server(folder)

    def join(self) -> Any:
        return self.server.join()

    def committing(self, mine: Any, key: int) -> Commit:
        return lambda number: mine.set(str(key), number)

    def close(self) -> None:
        self.server.close()

    def found(self, keys: list[int]) -> list[int]:
        self.server.start()
        try:
            return [int(value) for value in self.server.join().mget(map(str, keys))]
        finally:
            self.server.close()


class Server(Redis):
    settings: ClassVar = {"appendonly": "yes", "appendfsync": "always"}


if __name__ == "__main__":
    serve(DiskRedis)
