"""Validators and invariants: what breaks them is undone, and nothing gets past them."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

import stmpy as stm
from tests.conftest import Interpreters
from tests.unit.test_add import meanwhile
from tests.waiting.conftest import Start

type Table = stm.TVar[Any, Any]


def positive(key: str, value: int) -> bool:
    return value >= 0


def nothing_is_lost(accounts: Table) -> Callable[[], object]:
    def nothing_is_lost() -> None:
        total = sum(accounts.values())
        assert total == 100, f"{total} instead of 100"

    return nothing_is_lost


@pytest.fixture
def accounts(store: stm.Store) -> Table:
    return store.TVar("accounts", {"alice": 100, "bob": 0})


@pytest.mark.parametrize("irrevocable", [False, True])
def test_a_validator_undoes_the_block(store: stm.Store, accounts: Table, irrevocable: bool) -> None:
    stm.TVar("accounts", store=store, validator=positive)

    @store.atomically(irrevocable=irrevocable)
    def overdraw() -> None:
        accounts["bob"] += 150
        accounts["alice"] -= 150

    with pytest.raises(stm.InvariantViolated, match=r"accounts\['alice'\] = -50") as caught:
        overdraw()
    assert (caught.value.variable, caught.value.key) == ("accounts", "alice")
    assert (caught.value.result, caught.value.__cause__) == (False, None)
    assert accounts == {"alice": 100, "bob": 0}


def test_only_the_end_of_the_block_counts(store: stm.Store, accounts: Table) -> None:
    stm.TVar("accounts", store=store, validator=positive)
    stm.always(nothing_is_lost(accounts), store=store)
    with store.atomically():
        accounts["alice"] -= 150
        accounts["bob"] += 150
        accounts["alice"] += 100
        accounts["bob"] -= 100
    assert accounts == {"alice": 50, "bob": 50}
    with store.atomically():
        accounts["gone"] = -1
        del accounts["gone"]


def test_what_is_changed_in_place_is_validated(store: stm.Store) -> None:
    def short(key: str, value: list[int]) -> None:
        if len(value) > 2:
            raise OverflowError(f"{len(value)} are too many")

    lists = stm.TVar("lists", {"a": [1, 2]}, store=store, validator=short)
    with (
        pytest.raises(stm.InvariantViolated, match="OverflowError: 3 are too many") as caught,
        store.atomically(),
    ):
        lists["a"].append(3)
    assert isinstance(caught.value.__cause__, OverflowError)
    assert lists["a"] == [1, 2]


def test_validators_look_at_what_is_there(store: stm.Store, accounts: Table) -> None:
    with pytest.raises(stm.InvariantViolated, match="alice"):
        stm.TVar("accounts", store=store, validator=lambda key, value: value < 100)
    with store.atomically():
        accounts["alice"] = 200
    with pytest.raises(stm.InvariantViolated, match="fresh"):
        stm.TVar("fresh", {"a": -1}, store=store, validator=positive)
    assert "a" not in store.TVar("fresh")
    with pytest.raises(TypeError):
        stm.TVar("accounts", store=store, validator=3)  # type: ignore[arg-type]


def test_the_last_validator_holds(store: stm.Store, accounts: Table) -> None:
    stm.TVar("accounts", store=store, validator=positive)
    stm.TVar("accounts", store=store, validator=lambda key, value: True)
    with store.atomically():
        accounts["alice"] = -1


def test_a_single_value(store: stm.Store) -> None:
    level: stm.TRef[Any] = stm.TRef(
        "level", 3, store=store, validator=lambda value: 0 <= value < 10
    )
    with pytest.raises(stm.InvariantViolated, match="level = 10"), store.atomically():
        level.value = 10
    with pytest.raises(stm.InvariantViolated, match="TypeError"), store.atomically():
        level.value = None
    assert level.swap(lambda value: value + 1) == 4


def test_an_invariant_undoes_the_block(store: stm.Store, accounts: Table) -> None:
    rule = stm.always(nothing_is_lost(accounts), store=store)
    with (
        pytest.raises(stm.InvariantViolated, match="150 instead of 100") as caught,
        store.atomically(),
    ):
        accounts["bob"] += 50
    assert isinstance(caught.value.__cause__, AssertionError)
    assert rule.__name__ in str(caught.value)
    assert accounts == {"alice": 100, "bob": 0}


def test_an_invariant_that_does_not_hold_is_not_set(store: stm.Store, accounts: Table) -> None:
    with pytest.raises(stm.InvariantViolated, match="returned 0"):
        stm.always(lambda: accounts["bob"], store=store)
    with store.atomically():
        accounts["alice"] = 7
    with pytest.raises(stm.NestedMisuse), store.atomically():
        stm.always(lambda: True, store=store)
    with pytest.raises(TypeError):
        stm.always(True, store=store)  # type: ignore[type-var]


def test_an_invariant_cannot_write(store: stm.Store, accounts: Table) -> None:
    def rule() -> None:
        if accounts["bob"] > 0:
            accounts["bob"] = 0

    stm.always(rule, store=store)
    with pytest.raises(stm.ReadOnly), store.atomically():
        accounts["bob"] = 1
    assert accounts["bob"] == 0


def test_it_concerns_only_who_writes_what_it_reads(store: stm.Store, accounts: Table) -> None:
    """Not the block that comes by when it is broken already."""
    other = store.TVar("other", {"n": 0})
    limit = 100
    stm.always(lambda: accounts["alice"] <= limit, store=store)
    limit = 50
    with store.atomically():
        other["n"] += 1
    with pytest.raises(stm.InvariantViolated), store.atomically():
        accounts["alice"] = 60


def test_an_unconcerned_block_does_not_conflict_over_it(store: stm.Store, accounts: Table) -> None:
    other = store.TVar("other", {"n": 0})
    changed: list[str] = []

    def change() -> None:
        with store.atomically():
            accounts["alice"] += len(changed)

    def rule() -> bool:
        seen = accounts["alice"]
        if changed == ["now"]:
            changed.append("done")
            thread = threading.Thread(target=change)
            thread.start()
            thread.join()
        return bool(seen)

    stm.always(rule, store=store)
    changed.append("now")
    before = store.stats().conflicts
    with store.atomically():
        other["n"] += 1
    assert store.stats().conflicts == before
    assert accounts["alice"] == 102


@pytest.mark.parametrize("isolation", ["serializable", "snapshot"])
def test_no_write_skew_gets_past_it(
    store: stm.Store, accounts: Table, start: Start, isolation: Any
) -> None:
    """Two blocks that each write one key, and would together break the rule over both."""
    with store.atomically():
        accounts["bob"] = 100
    meet = threading.Barrier(2, timeout=60)
    stm.always(lambda: accounts["alice"] + accounts["bob"] >= 100, store=store)

    def withdraw(key: str) -> bool:
        first = True

        def block() -> None:
            nonlocal first
            accounts[key] -= 100
            if first:
                first = False
                meet.wait()

        try:
            store.atomically(isolation=isolation)(block)()
        except stm.InvariantViolated:
            return False
        return True

    taken = [start(withdraw, key) for key in ("alice", "bob")]
    assert sorted(one.result(60) for one in taken) == [False, True]
    assert sum(accounts.values()) == 100


def test_a_rule_whose_keys_depend_on_values(store: stm.Store, interpreters: Interpreters) -> None:
    """Another interpreter changes where it looks; this one still checks the right place."""
    with stm.open(name="invariants", max_bytes=16 << 20) as shared:
        table = shared.TVar("table", {"at": "a", "a": 0, "b": 0})
        stm.always(lambda: table[table["at"]] < 5, store=shared)
        interpreters.run(
            interpreters.create(),
            """
            import stmpy as stm
            store = stm.open(name="invariants")
            table = store.TVar("table")
            with store.atomically():
                table["at"] = "b"
                table["a"] = 9  # nobody checks here
            """,
        )
        with pytest.raises(stm.InvariantViolated), shared.atomically():
            table["b"] = 5
        with shared.atomically():
            table["a"] = 10


def test_a_forked_child_keeps_the_rules(in_process: Callable[..., str]) -> None:
    program = """
        import os
        import stmpy as stm
        accounts = stm.TVar("accounts", {"a": 1}, validator=lambda key, value: value > 0)
        stm.always(lambda: accounts["a"] < 10)
        def refused(value):
            try:
                with stm.atomically():
                    accounts["a"] = value
            except stm.InvariantViolated as error:
                return True
        child = os.fork()
        if child == 0:
            os._exit(0 if refused(0) and refused(10) and not refused(5) else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), accounts["a"])
    """
    assert in_process(program) == "0 5\n"


def test_rules_of_closed_stores_are_forgotten() -> None:
    from stmpy import _invariants

    def rules() -> int:
        return len(_invariants._invariants) + len(_invariants._validators)

    for _ in range(3):
        with stm.open(max_bytes=1 << 20) as store:
            stm.TVar("a", store=store, validator=positive)
            stm.always(lambda: True, store=store)
            assert rules() == 2


@pytest.mark.parametrize("how", ["add", "commute"])
@pytest.mark.parametrize("rule", ["validator", "always"])
def test_a_rule_sees_what_will_be_committed(store: stm.Store, how: str, rule: str) -> None:
    def fits(value: int) -> bool:
        return value <= 10

    table: Table = store.TVar("ruled")
    if rule == "validator":
        stm.TVar("ruled", store=store, validator=lambda _, value: fits(value))
    else:
        stm.always(lambda: fits(table.get("n", 0)), store=store)

    def grow() -> None:
        if how == "add":
            table.add("n", 6)
        else:
            table.commute("n", lambda value: (value or 0) + 6)

    with pytest.raises(stm.InvariantViolated):
        meanwhile(table, grow, grow)
    assert table == {"n": 6}


# ---- what it says --------------------------------------------------------------------------------


def test_a_refusal_names_the_validator(store: stm.Store) -> None:
    table = stm.TVar("t", {"a": 1}, store=store, validator=positive)

    def put(value: Any) -> None:
        table["a"] = value

    said = r"t\['a'\] = -1: refused by its validator positive \(returned False\); nothing was"
    with pytest.raises(stm.InvariantViolated, match=said):
        store.run(put, -1)
    long: Any = lambda key, value: len(str(value)) < 100  # noqa: E731
    table = stm.TVar("t", store=store, validator=long)
    with pytest.raises(stm.InvariantViolated, match=r"t\['a'\] = 'xxx") as caught:
        store.run(put, "x" * 10_000)
    assert len(str(caught.value)) < 300
    only_value: Any = lambda value: value > 0  # noqa: E731
    with pytest.raises(stm.InvariantViolated, match="takes 1 positional argument but 2 were given"):
        stm.TVar("t", store=store, validator=only_value)
