"""Watching in tasks: the loop goes on, cancelling loses nothing."""

import asyncio
from typing import Any

import pytest

import stmpy as stm
from stmpy.structs import Closed
from tests.following.conftest import Start

type Table = stm.TVar[Any, Any]


def run(main: Any) -> Any:
    return asyncio.run(asyncio.wait_for(main, 60))


def test_async_for(store: stm.Store, table: Table, start: Start) -> None:
    def write() -> None:
        for n in range(200):
            with store.atomically():
                table["n"] = n

    async def listen(changes: Any, heard: list[int]) -> None:
        async for change in changes:
            heard.append(change.value)

    async def main() -> None:
        watches = [stm.watch(table) for _ in range(3)]
        heard: list[list[int]] = [[], [], []]
        listeners = [
            asyncio.create_task(listen(*pair)) for pair in zip(watches, heard, strict=True)
        ]
        await asyncio.wrap_future(start(write))
        while any(len(one) < 200 for one in heard):
            await asyncio.sleep(0)
        watches[0].close()
        await asyncio.to_thread(watches[1].close)
        watches[2].close()
        await asyncio.gather(*listeners)
        assert heard == [list(range(200))] * 3

    run(main())


def test_cancelling_loses_nothing(store: stm.Store, table: Table) -> None:
    async def main() -> None:
        with stm.watch(table) as changes:
            for n in range(20):
                task = asyncio.create_task(changes.aget())
                while not changes._waiting:
                    await asyncio.sleep(0)
                with store.atomically():
                    table["n"] = n
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert not changes._waiting
                assert changes._loop is None
                assert (await changes.aget()).value == n

    run(main())


def test_two_tasks_share_a_watch(store: stm.Store, table: Table) -> None:
    async def main() -> None:
        with stm.watch(table) as changes:
            tasks = [asyncio.create_task(changes.aget()) for _ in range(2)]
            while len(changes._waiting) < 2:
                await asyncio.sleep(0)
            for n in range(2):
                with store.atomically():
                    table["n"] = n
            assert sorted([(await task).value for task in tasks]) == [0, 1]

    run(main())


def test_async_with_closes_it(store: stm.Store, table: Table) -> None:
    async def main() -> None:
        async with stm.watch(table) as changes:
            store.run(table.update, k=1)
            assert (await changes.aget()).value == 1
            waiting = asyncio.create_task(changes.aget())
            await asyncio.sleep(0)
        with pytest.raises(Closed):
            await waiting
        with pytest.raises(Closed):
            changes.get_nowait()

    run(main())
