"""What is opened and made is given back: files, mappings, memory, threads' places."""

import sys
from collections.abc import Callable

import pytest

type Run = Callable[..., str]

MEASURE = """
        import gc, os, threading
        from pathlib import Path
        import stmpy as stm
        from stmpy.testing import conflicts

        def measure():
            gc.collect()
            maps = Path("/proc/self/maps").read_text()
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            files = len(os.listdir("/proc/self/fd"))
            return files, maps.count("memfd"), pages * os.sysconf("SC_PAGE_SIZE")

        def check(work, rounds, slack=1 << 20):
            for _ in range(rounds // 4):
                work()
            files, maps, memory = measure()
            for _ in range(rounds):
                work()
            later = measure()
            assert later[:2] == (files, maps), (files, maps, later)
            assert later[2] < memory + slack, (memory, later)
"""

STORES = {
    "closed": """
            with stm.open(max_bytes=1 << 20) as store:
                use(store)
    """,
    "dropped": """
            use(stm.open(max_bytes=1 << 20))
    """,
    "named": """
            with stm.open(name="mine", max_bytes=1 << 20) as store:
                use(store)
    """,
    "closed twice": """
            store = stm.open(max_bytes=1 << 20)
            use(store)
            store.close()
            store.close()
    """,
    "closed in a block": """
            store = stm.open(max_bytes=1 << 20)
            try:
                with store.atomically():
                    store.TVar("table")["n"] = 1
                    store.close()
            except stm.StoreClosed:
                pass
    """,
    "never used": """
            stm.open(max_bytes=1 << 20)
    """,
    "used in another thread": """
            store = stm.open(max_bytes=1 << 20)
            thread = threading.Thread(target=use, args=(store,))
            thread.start()
            thread.join()
            use(store)
    """,
}


@pytest.mark.parametrize("work", STORES.values(), ids=STORES)
def test_stores(work: str, in_process: Run) -> None:
    in_process(f"""
        {MEASURE}
        def use(store):
            table = store.TVar("table", {{"text": "x" * 5000}})
            with store.atomically():
                table["list"] = [1] * 500
            with store.snapshot():
                assert len(table) == 2
            assert table["text"] * 1

        def work():
            {work}

        check(work, 100)
    """)


BLOCKS = {
    "commits": """
            with stm.atomically():
                table["n"] = table.get("n", 0) + 1
    """,
    "undone": """
            try:
                with stm.atomically():
                    table["list"] = [object.__new__(Blob)]
            except stm.EncodeError:
                pass
    """,
    "read in place": """
            with stm.atomically():
                table.setdefault("values", [[1] * 10] * 10)[0].append(1)
                del table["values"]
    """,
    "nested": """
            with stm.atomically():
                table["n"] = [1]
                try:
                    with stm.atomically():
                        table["n"].append("x" * 1000)
                        raise KeyError
                except KeyError:
                    pass
    """,
    "lost": """
            text = "x" * 1000
            with conflicts([True, False, True]):
                with stm.atomically():
                    table["text"] = text
                    table["text"] = [text]
    """,
    "keys come and go": """
            with stm.atomically():
                for n in range(50):
                    table[n] = "x" * 100
            with stm.atomically():
                for n in range(50):
                    del table[n]
    """,
    "walks": """
            with stm.atomically():
                table["n"] = "x" * 1000
                assert table.copy() and list(table) and table.get_many(["n", "m"])
            assert table.copy() and list(table) and table.get_many(["n", "m"])
    """,
    "new code": """
            exec(compile("with stm.atomically():\\n    table['n'] = 1\\n", "text", "exec"))
    """,
    "threads": """
            thread = threading.Thread(target=lambda: stm.run(lambda: table.update(n=1)))
            thread.start()
            thread.join()
    """,
}


@pytest.mark.parametrize("work", BLOCKS.values(), ids=BLOCKS)
def test_blocks(work: str, in_process: Run) -> None:
    """Neither the process nor the region grows."""
    in_process(f"""
        {MEASURE}
        class Blob:
            data = bytes(10000)

        table = stm.TVar("table")

        def work():
            {work}

        check(work, 400)
        used = stm.stats().memory.used_bytes
        for _ in range(400):
            work()
        assert stm.stats().memory.used_bytes <= 2 * used + 10000, (used, stm.stats())
        assert len(stm.stats().threads) <= 2
    """)


@pytest.mark.skipif(
    sys.version_info < (3, 14), reason="CPython 3.13 keeps the heap of every closed interpreter"
)
def test_interpreters(in_process: Run) -> None:
    """An interpreter that is closed gives all back that it used."""
    in_process(f"""
        {MEASURE}
        import _interpreters

        table = stm.TVar("table")

        def work():
            id = _interpreters.create("isolated")
            failure = _interpreters.exec(id, '''if True:
                import stmpy as stm
                table = stm.TVar("table")
                with stm.atomically():
                    table["text"] = "x" * 100000
                with stm.open(max_bytes=1 << 20) as store:
                    store.TVar("own", {{"n": 1}}).copy()
            ''')
            assert failure is None, failure.errdisplay
            _interpreters.destroy(id)

        check(work, 20, slack=4 << 20)
        assert len(stm.stats().threads) <= 2
    """)
