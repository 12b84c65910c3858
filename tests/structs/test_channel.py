"""Channels: every subscriber reads everything sent since it came, and nothing stays."""

import pickle
import queue

import pytest

import stmpy as stm
from stmpy.structs import Closed
from tests.structs.conftest import Start


class Undo(Exception):
    pass


@pytest.fixture
def channel(store: stm.Store) -> stm.TChannel[int]:
    return stm.TChannel("c", store=store)


def items_kept(channel: stm.TChannel[int]) -> int:
    return sum(isinstance(key, tuple) and key[0] == "item" for key in channel._state)


def test_fan_out_to_threads(channel: stm.TChannel[int], start: Start) -> None:
    readers = [start(list, channel.subscribe()) for _ in range(5)]
    for i in range(100):
        channel.send(i)
    channel.close()
    for reader in readers:
        assert reader.result(60) == list(range(100))
    assert items_kept(channel) == 0


def test_from_the_moment_it_subscribes(channel: stm.TChannel[int]) -> None:
    channel.send(1)
    with channel.subscribe() as early:
        channel.send(2)
        with channel.subscribe() as late:
            channel.send(3)
            assert (early.get(), early.get(), late.get()) == (2, 3, 3)
            for subscription in (early, late):
                with pytest.raises(queue.Empty):
                    subscription.get_nowait()
                with pytest.raises(queue.Empty):
                    subscription.get(timeout=0.01)


def test_reads_of_one_block_go_on_and_an_undone_one_took_nothing(
    store: stm.Store, channel: stm.TChannel[int]
) -> None:
    subscription = channel.subscribe()
    for i in range(3):
        channel.send(i)

    def read(fail: bool) -> list[int]:
        read = [subscription.get(), subscription.get()]
        if fail:
            raise Undo
        return read

    with pytest.raises(Undo):
        store.run(read, True)
    assert store.run(read, False) == [0, 1]
    assert subscription.get() == 2


def test_who_leaves_holds_nothing(channel: stm.TChannel[int]) -> None:
    stays, leaves = channel.subscribe(), channel.subscribe()
    channel.send(1)
    channel.send(2)
    leaves.close()
    leaves.close()
    with pytest.raises(Closed, match="subscribe again"):
        leaves.get()
    assert [stays.get(), stays.get()] == [1, 2]
    assert items_kept(channel) == 0


def test_closed(channel: stm.TChannel[int]) -> None:
    subscription = channel.subscribe()
    channel.send(1)
    channel.close()
    channel.close()
    with pytest.raises(ValueError, match="closed"):
        channel.send(2)
    assert subscription.get() == 1
    with pytest.raises(Closed, match="everything is read"):
        subscription.get()


def test_handles_share_their_place(channel: stm.TChannel[int]) -> None:
    subscription = channel.subscribe()
    other = pickle.loads(pickle.dumps(subscription))
    channel.send(1)
    channel.send(2)
    assert (subscription.get(), other.get()) == (1, 2)
