"""Recorders and the loader: what is written comes back, what is damaged is refused by name."""

from array import array
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.history.model import (
    ABORTED,
    APPEND,
    COMMITTED,
    DELETE,
    KEYS,
    LIST,
    NOT_KNOWN,
    READ,
    UNKNOWN,
    WRITE,
    History,
    Op,
)
from tests.history.record import Recorder, load


@dataclass
class Moment:
    """An attempt, as far as a recorder looks at it."""

    snapshot: int


def test_what_is_recorded_comes_back(tmp_path: Path) -> None:
    with Recorder(tmp_path, 1, "interpreter 1, thread 1") as log:
        log.invoke()
        log.attempt(Moment(6))
        log.read(10, None)
        log.read_list(11, (4, 5))
        value = log.mint()
        log.write(10, value)
        log.append(11, value)
        log.commit(7)
    with Recorder(tmp_path, 2, "interpreter 2, thread 1") as log:
        log.invoke()
        log.attempt()
        log.keys(12, [13, 14])
        log.delete(13, 1)
        log.unknown()
        log.invoke()
        log.attempt()
        log.abort()
    history = load(tmp_path)
    assert list(history.operations(0)) == [
        Op(READ, 10, (0,)),
        Op(LIST, 11, (4, 5)),
        Op(WRITE, 10, (value,)),
        Op(APPEND, 11, (value,)),
    ]
    assert list(history.operations(1)) == [Op(KEYS, 12, (13, 14)), Op(DELETE, 13, (1,))]
    assert list(history.operations(2)) == []
    assert history.status.tolist() == [COMMITTED, UNKNOWN, ABORTED]
    assert history.snapshot.tolist() == [6, NOT_KNOWN, NOT_KNOWN]
    assert history.version.tolist() == [7, NOT_KNOWN, NOT_KNOWN]
    assert [history.who(attempt) for attempt in range(3)] == [
        "interpreter 1, thread 1",
        "interpreter 2, thread 1",
        "interpreter 2, thread 1",
    ]


def test_each_pass_through_a_body_is_an_attempt(tmp_path: Path) -> None:
    with Recorder(tmp_path, 1, "one") as log:
        log.invoke()
        log.attempt()
        log.read(1, 5)
        log.attempt()
        log.read(1, 6)
        log.attempt()
        log.read(1, 7)
        log.commit(None)
    history = load(tmp_path)
    assert history.status.tolist() == [ABORTED, ABORTED, COMMITTED]
    assert [op.values[0] for a in range(3) for op in history.operations(a)] == [5, 6, 7]
    # An attempt begins after the body of the one before it began, and before that one ended:
    # the worker learns of a new attempt only when that has its snapshot already.
    for earlier in (0, 1):
        assert history.begin[earlier] <= history.begin[earlier + 1] <= history.end[earlier]


def test_the_snapshot_is_that_of_the_last_read(tmp_path: Path) -> None:
    """Also where the read has moved it and the write right behind it ends the attempt."""
    moment = Moment(3)
    with Recorder(tmp_path, 1, "one") as log:
        log.invoke()
        log.attempt(moment)
        log.write(1, log.mint())
        moment.snapshot = 5
        log.read(2, None)
        moment.snapshot = 8
        log.attempt(Moment(9))
        log.read_list(2, ())
        log.attempt(Moment(10))
        log.keys(3, ())
        log.commit(None)
    assert load(tmp_path).snapshot.tolist() == [5, 9, 10]


def test_minted_values_are_all_different(tmp_path: Path) -> None:
    with Recorder(tmp_path, 1, "one") as one, Recorder(tmp_path, 2, "two") as two:
        values = [log.mint() for log in (one, two, one, two)]
    assert len(set(values)) == 4


def test_many_attempts_survive_flushing(tmp_path: Path) -> None:
    with Recorder(tmp_path, 1, "one") as log:
        for number in range(20_000):
            log.invoke()
            log.attempt()
            log.read(1, number)
            log.commit(None)
    history = load(tmp_path)
    assert [next(history.operations(a)).values[0] for a in range(len(history))] == list(
        range(20_000)
    )


def one_file(tmp_path: Path) -> Path:
    for worker in (1, 2):
        with Recorder(tmp_path, worker, "one") as log:
            log.invoke()
            log.attempt()
            log.read(1, 2)
            log.commit(None)
    return next(iter(sorted(tmp_path.iterdir())))


@pytest.mark.parametrize("cut", [1, 8, 16, 40])
def test_a_cut_file_is_refused(tmp_path: Path, cut: int) -> None:
    path = one_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ValueError, match=r"00001\.history is no complete record file"):
        load(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}\n", b"[]\n", b'{"format": 2, "worker": 1, "description": ""}\n', b"\xff\n"],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    one_file(tmp_path).write_bytes(content)
    with pytest.raises(ValueError, match=r"00001\.history is no complete record file"):
        load(tmp_path)


@pytest.mark.parametrize(
    "words", [[6], [7, 0, 0, 0, 0, 0], [7, 3, 0, 0, 0, 0, 0], [7, 0, 0, 2, 1, 0, 0]]
)
def test_words_that_are_no_records_are_refused(words: list[int]) -> None:
    with pytest.raises(ValueError, match="word 0"):
        History(array("q", words))
