"""Blocks in asyncio: who waits blocks nobody, wakes, and leaves nothing behind."""

import asyncio
import gc
import random
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import stmpy as stm
from tests.conftest import Interpreters
from tests.following.conftest import Start

type Table = stm.TVar[Any, Any]


def run[T](main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 60))


def threads_of_the_system() -> int:
    """Also those that Python does not know."""
    return len(list(Path("/proc/self/task").iterdir()))


async def until(condition: Callable[[], bool]) -> None:
    """Give the other tasks turns until it holds."""
    while not condition():
        await asyncio.sleep(0)


def test_a_block_that_need_not_wait(store: stm.Store, table: Table) -> None:
    def add(key: str, n: int) -> int:
        table[key] = table.get(key, 0) + n
        return n

    async def main() -> int:
        return await stm.arun(add, "a", 3, store=store) + await stm.arun(add, "a", 4, store=store)

    assert run(main()) == 7
    assert table == {"a": 7}


def test_the_loop_goes_on_while_tasks_wait(store: stm.Store, table: Table) -> None:
    looks = []

    def look(key: int) -> int:
        looks.append(key)
        stm.check(key in table)
        return int(table[key])

    def put(key: int) -> None:
        table[key] = 10 * key

    async def main() -> list[int]:
        tasks = [asyncio.create_task(stm.arun(look, key, store=store)) for key in range(20)]
        await until(lambda: len(looks) == 20)
        for key in range(20):
            await stm.arun(put, key, store=store)
        return await asyncio.gather(*tasks)

    assert run(main()) == [10 * key for key in range(20)]


def test_many_tasks_take_one_thread(store: stm.Store, table: Table) -> None:
    before = threads_of_the_system()
    looked = 0

    def look() -> None:
        nonlocal looked
        looked += 1
        stm.check("go" in table)

    def go() -> None:
        table["go"] = True

    async def main() -> int:
        tasks = [asyncio.create_task(stm.arun(look, store=store)) for _ in range(300)]
        await until(lambda: looked == 300)
        during = threads_of_the_system()
        await stm.arun(go, store=store)
        await asyncio.gather(*tasks)
        return during

    assert run(main()) == before + 1
    gc.collect()
    assert threads_of_the_system() == before


def test_random_wake_ups_from_threads(store: stm.Store, start: Start, rng: random.Random) -> None:
    queues = [stm.TQueue[int](store=store) for _ in range(5)]
    plan = [rng.randrange(5) for _ in range(1000)]

    def produce() -> None:
        for number, place in enumerate(plan):
            queues[place].put(number)

    async def consume(place: int) -> list[int]:
        return [await stm.arun(queues[place].get, store=store) for _ in range(plan.count(place))]

    async def main() -> list[list[int]]:
        consumers = [asyncio.create_task(consume(place)) for place in range(5)]
        producing = start(produce)
        got = await asyncio.gather(*consumers)
        await asyncio.wrap_future(producing)
        return got

    for place, got in enumerate(run(main())):
        assert got == [number for number, where in enumerate(plan) if where == place]


def test_cancelling_ends_the_wait_and_leaves_nothing(store: stm.Store, table: Table) -> None:
    looked = aborted = 0

    def look() -> None:
        nonlocal looked
        stm.on_abort(lambda: pytest.fail("a wait that is cancelled has no outcome"))
        looked += 1
        stm.check("go" in table)

    async def main() -> None:
        from stmpy import _tasks

        aborts = store.stats().aborts
        task = asyncio.create_task(stm.arun(look, store=store))
        await until(lambda: looked == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (waiting,) = _tasks._loops[asyncio.get_running_loop()].values()
        assert not waiting._futures
        with store.atomically():
            table["go"] = True
        assert looked == 1
        assert store.stats().aborts == aborts

    run(main())
    assert aborted == 0


def test_the_deadline(store: stm.Store, table: Table) -> None:
    def look() -> None:
        stm.check("go" in table)

    async def main() -> None:
        for timeout in (0, 0.01):
            with pytest.raises(stm.TransactionTimeout, match="try again"):
                await stm.arun(look, timeout=timeout, store=store)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stm.arun(look, store=store), 0.01)
        with pytest.raises(stm.StmError, match="read nothing"):
            await stm.arun(stm.retry, store=store)

    run(main())


def test_a_store_that_closes_lets_tasks_go(store: stm.Store, table: Table) -> None:
    looked = []

    def look() -> None:
        looked.append(1)
        stm.check("go" in table)

    async def main() -> None:
        task = asyncio.create_task(stm.arun(look, store=store))
        await until(lambda: bool(looked))
        store.close()
        with pytest.raises(stm.StoreClosed):
            await task

    run(main())


def test_misuse(store: stm.Store, table: Table) -> None:
    async def body() -> None:
        pass

    async def refused(call: Callable[[], Awaitable[object]], error: type[Exception]) -> None:
        with pytest.raises(error):
            await call()

    async def main() -> None:
        await refused(lambda: stm.arun(body, store=store), TypeError)
        await refused(lambda: stm.arun(lambda: 1 // 0, store=store), ZeroDivisionError)
        await refused(lambda: stm.arun(lambda: None, timeout=-1, store=store), ValueError)
        waiting = stm.arun(lambda: None, store=store)
        with pytest.raises(stm.NestedMisuse, match="part of the block"):
            store.run(waiting.send, None)

    run(main())


def test_tasks_never_share_a_block(store: stm.Store, table: Table) -> None:
    """A block is over, or given up, when another task runs."""

    def look(key: int) -> None:
        assert stm.in_transaction()
        stm.check(key in table)

    async def main() -> None:
        tasks = [asyncio.create_task(stm.arun(look, key, store=store)) for key in range(3)]
        for key in range(3):
            await asyncio.sleep(0)
            assert not stm.in_transaction()
            with store.atomically():
                table[key] = True
        await asyncio.gather(*tasks)

    run(main())


def test_channels_are_iterated(store: stm.Store) -> None:
    channel = stm.TChannel[int]("c", store=store)

    async def listen(subscription: Any) -> list[int]:
        return [item async for item in subscription]

    async def main() -> list[list[int]]:
        listeners = [asyncio.create_task(listen(channel.subscribe())) for _ in range(3)]
        for item in range(10):
            await stm.arun(channel.send, item, store=store)
            await asyncio.sleep(0)
        channel.close()
        return await asyncio.gather(*listeners)

    assert run(main()) == [list(range(10))] * 3


PLAYER = """
    import asyncio
    import stmpy as stm
    store = stm.open(name="async ping pong")
    ball = store.TRef("ball")

    def play():
        stm.check(ball.value % 2 == me)
        ball.value += 1

    async def main():
        for _ in range(500):
            await stm.arun(play, store=store)

    asyncio.run(main())
"""


def test_ping_pong_between_loops_of_two_interpreters(interpreters: Interpreters) -> None:
    with stm.open(name="async ping pong", max_bytes=16 << 20) as store:
        ball = store.TRef("ball", 0)
        interpreters.run_each(PLAYER, 2)
        assert ball.value == 1000


FORKED = """
import asyncio, os
import stmpy as stm

ball = stm.TRef("ball", 0)

def play(me):
    stm.check(ball.value % 2 == me)
    ball.value += 1

async def main(me):
    for _ in range(300):
        await stm.arun(play, me, timeout=30)

asyncio.run(stm.arun(lambda: None))  # the child inherits what the parent waits with
child = os.fork()
asyncio.run(main(int(child == 0)))
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(ball.value)
"""


def test_ping_pong_across_a_fork(in_process: Callable[..., str]) -> None:
    assert in_process(FORKED) == "600\n"


def test_an_interpreter_that_ends_while_its_task_waits(
    store: stm.Store, interpreters: Interpreters
) -> None:
    before = threads_of_the_system()
    with stm.open(name="left", max_bytes=16 << 20) as left:
        id = interpreters.create()
        interpreters.run(
            id,
            """
            import asyncio
            import stmpy as stm
            store = stm.open(name="left")
            table = store.TVar("table")
            loop = asyncio.new_event_loop()
            task = loop.create_task(stm.arun(lambda: stm.check(table.get("go")), store=store))
            loop.run_until_complete(asyncio.sleep(0.01))
            assert not task.done()
            """,
        )
        interpreters.close()
        assert threads_of_the_system() == before
        with left.atomically():
            left.TVar("table")["go"] = True


def test_a_loop_that_is_closed_is_forgotten(store: stm.Store, table: Table) -> None:
    from stmpy import _tasks

    loops = []
    for _ in range(3):
        loop = asyncio.new_event_loop()
        loops.append(loop)
        loop.run_until_complete(stm.arun(lambda: None, store=store))
        assert len(_tasks._loops) == 1
        loop.close()


def test_threads_have_loops_of_their_own(store: stm.Store) -> None:
    queue = stm.TQueue[int]("q", store=store)
    got: list[int] = []
    threads = [
        threading.Thread(target=lambda: got.append(run(stm.arun(queue.get, store=store))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for item in range(4):
        queue.put(item)
    for thread in threads:
        thread.join(60)
    assert sorted(got) == [0, 1, 2, 3]
