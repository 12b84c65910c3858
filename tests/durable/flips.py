"""Single flipped bits over the files of a populated store: who notices, who is deceived.

    python -m tests.durable.flips 10000 [seed]

For each flip `findings` and a plain reading of the store, as the keeper does it, run in a forked
process each. A flip that changes what is read must be found by both.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import stmpy as stm
from stmpy import _native
from stmpy.durable import format
from stmpy.durable.check import findings
from stmpy.durable.format import Record, Write
from stmpy.durable.journal import Journal
from stmpy.durable.lmdb_backend import LmdbBackend
from stmpy.durable.pages import check_header

OUTCOMES: Final = ("same", "refused", "crashed", "deceived")
"""What a reading makes of a flip: the contents as they were, an error, a signal, or other ones."""


def populate(path: Path) -> None:
    """Rows in several pages, large values, and a log that is not applied."""
    with stm.open(path) as store:
        for i in range(0, 1500, 50):
            with store.atomically():
                store.TVar("v").update((j, "x" * (j % 90)) for j in range(i, i + 50))
        with store.atomically():
            store.TVar("large")["k"] = list(range(5000))
    journal = Journal(LmdbBackend(str(path)))
    while journal.apply():
        pass
    for i in range(40):
        journal.append(journal.last + 1, format.encode_record(changed(journal.last + 1, i)))
    journal.close()


def changed(ts: int, i: int) -> Record:
    """A commit that sets a key anew, or deletes one."""
    key = _native.encode_key(i * 20)
    if i % 2:
        return Record(ts, [Write(5, format.TOMBSTONE, "v", key, b"")])
    return Record(ts, [Write(5, 0, "v", key, _native.encode("new"))])


def contents(path: Path) -> list[tuple[int, bytes, int, bytes]]:
    """All that the keeper would put into a region, and where it would go on."""
    check_header(str(path))
    journal = Journal(LmdbBackend(str(path)))
    found: list[tuple[int, bytes, int, bytes]] = sorted(journal.contents())
    found += [(journal.last, name.encode(), kind, b"") for name, kind in journal.names.values()]
    journal.close()
    return found


def forked(work: Callable[[], int]) -> int:
    """What the work returned, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = 99
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def read_outcome(path: Path, expected: list[tuple[int, bytes, int, bytes]]) -> str:
    def read() -> int:
        try:
            return 0 if contents(path) == expected else 3
        except Exception:
            return 1

    code = forked(read)
    return "crashed" if code < 0 else OUTCOMES[code]


def found(path: Path) -> bool:
    """Whether `check` would say anything, or its process would die of it."""
    return forked(lambda: int(any(True for _ in findings(str(path))))) != 0


def flip(file: Path, rng: random.Random) -> tuple[int, int]:
    size = file.stat().st_size
    at, bit = rng.randrange(size), rng.randrange(8)
    with file.open("r+b") as data:
        data.seek(at)
        byte = data.read(1)[0]
        data.seek(at)
        data.write(bytes([byte ^ 1 << bit]))
    return at, bit


def run(rounds: int, seed: int) -> tuple[Counter[tuple[str, bool]], list[str]]:
    """How often each (outcome, found by check) was seen, and what must not have been."""
    rng = random.Random(seed)
    seen: Counter[tuple[str, bool]] = Counter()
    wrong = []
    with tempfile.TemporaryDirectory(prefix="stmpy-flips-") as folder:
        whole, damaged = Path(folder, "whole"), Path(folder, "damaged")
        populate(whole)
        expected = contents(whole)
        names = [path.name for path in whole.iterdir()]
        sizes = [(whole / name).stat().st_size for name in names]
        assert not found(whole)
        for _ in range(rounds):
            shutil.copytree(whole, damaged)
            name = rng.choices(names, sizes)[0]
            at, bit = flip(damaged / name, rng)
            caught = found(damaged)
            outcome = read_outcome(damaged, expected)
            seen[outcome, caught] += 1
            if outcome == "deceived" or (outcome != "same" and not caught):
                wrong.append(f"{name}, byte {at}, bit {bit}: {outcome}, found: {caught}")
            shutil.rmtree(damaged)
    return seen, wrong


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    seen, wrong = run(rounds, seed)
    for (outcome, caught), count in sorted(seen.items()):
        print(f"{count:>7,} read {outcome}, {'found' if caught else 'not found'} by check")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
