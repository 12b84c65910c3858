"""`ensure`: reads that are validated under snapshot isolation as well."""

from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from tests.unit.test_add import meanwhile

type Table = stm.TVar[Any, Any]


def skew(table: Table, read: Callable[[str], Any]) -> int:
    """Two blocks under snapshot isolation, each of which takes a doctor off call if both are on."""

    def leave(me: str, other: str) -> Callable[[], None]:
        def body() -> None:
            if read(other):
                table[me] = False

        return body

    with table.store.atomically():
        table.update(alice=True, bob=True)
    second = table.store.atomically(isolation="snapshot")(leave("bob", "alice"))
    return meanwhile(table, leave("alice", "bob"), second, isolation="snapshot")


def test_it_prevents_write_skew(table: Table) -> None:
    assert skew(table, table.ensure) == 2
    assert table == {"alice": True, "bob": False}


def test_the_check_can_fail(table: Table) -> None:
    assert skew(table, table.__getitem__) == 1
    assert table == {"alice": False, "bob": False}


@pytest.mark.parametrize("outcome", ["default", "KeyError"])
def test_absence_is_ensured(store: stm.Store, table: Table, outcome: str) -> None:
    seen = []

    def first() -> None:
        if outcome == "default":
            seen.append(table.ensure("key", "absent"))
        else:
            try:
                seen.append(table.ensure("key"))
            except KeyError as error:
                seen.append(error.args[0])
        table["copy"] = seen[-1]

    def other() -> None:
        table["key"] = "there"

    assert meanwhile(table, first, other, isolation="snapshot") == 2
    assert seen == ["absent" if outcome == "default" else "key", "there"]
    assert table == {"key": "there", "copy": "there"}


def test_other_keys_are_not(store: stm.Store, table: Table) -> None:
    def first() -> None:
        table.get("read")
        table.ensure("ensured", 0)
        table["written"] = 1

    assert meanwhile(table, first, lambda: table.update(read=1), isolation="snapshot") == 1


def test_a_ref(store: stm.Store, table: Table) -> None:
    ref: stm.TRef[int] = store.TRef("ref", 1)

    def first() -> None:
        table["copy"] = ref.ensure()

    assert meanwhile(table, first, lambda: setattr(ref, "value", 2), isolation="snapshot") == 2
    assert table == {"copy": 2}


def test_own_writes(store: stm.Store, table: Table) -> None:
    with store.atomically(isolation="snapshot"):
        table["a"] = [1]
        table.add("b", 2)
        assert table.ensure("a") == [1]
        assert table.ensure("b") == 2
        table.ensure("a").append(2)
        del table["b"]
        with pytest.raises(KeyError):
            table.ensure("b")
    assert table == {"a": [1, 2]}


def test_where_it_is_refused(store: stm.Store, table: Table) -> None:
    ref: stm.TRef[int] = store.TRef("ref", 1)
    with pytest.raises(stm.TransactionRequired, match=r"table\['a'\]: ensure\(\) needs a block"):
        table.ensure("a")
    with pytest.raises(stm.TransactionRequired):
        ref.ensure()
    with store.atomically(read_only=True):
        assert ref.ensure() == 1
        assert table.ensure("a", None) is None
        with pytest.raises(KeyError):
            table.ensure(("a", "tuple"))
        with pytest.raises(TypeError, match="1 to 2 arguments"):
            table.ensure()  # type: ignore[call-overload]
