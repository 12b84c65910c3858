"""A workload with known conflicts: block A always beats block B on one key."""

from concurrent.futures import ThreadPoolExecutor

import stmpy as stm


def beat(store: stm.Store, times: int) -> None:
    """Commits A in the middle of B, so that B loses its first attempt, so many times."""
    table = store.TVar("table", {"k": 0, "b": 0})
    lost = False

    @store.atomically(label="A")
    def a() -> None:
        table["k"] += 1

    @store.atomically(label="B")
    def b() -> None:
        nonlocal lost
        table["b"] += table["k"] + 1
        if not lost:
            lost = True
            elsewhere.submit(a).result()

    with ThreadPoolExecutor(1) as elsewhere:
        for _ in range(times):
            lost = False
            b()
