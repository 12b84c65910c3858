"""Every workload keeps its invariant, and its check notices when that is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from random import Random
from typing import Any, Final

import pytest

import stmpy as stm
from bench import workloads
from bench.harness import Effort, Timing, measure
from bench.teams import Crew
from bench.workloads import SETS, VARIANTS, Checked
from bench.workloads.invariant import Broken
from stmpy.testing import conflicts

type Module = Any  # each has the same three functions

UPDATED: Final = [(name, args) for name, args in VARIANTS if args != (0,)]


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    crew = Crew("interpreters", 2)
    yield crew
    crew.close()


def named(variant: object) -> str | None:
    return variant if isinstance(variant, str) else None


@pytest.mark.parametrize(("name", "args"), VARIANTS, ids=named)
def test_two_interpreters_keep_the_invariant(crew: Crew, name: str, args: tuple[int, ...]) -> None:
    team = Checked(crew, name, args, 2)
    assert team.measure(0.02).operations > 0
    assert team.attempts[0] >= 1


@pytest.mark.parametrize(("name", "args"), UPDATED, ids=named)
def test_blocks_that_run_again_keep_the_invariant(
    rng: Random, name: str, args: tuple[int, ...]
) -> None:
    module: Module = import_module(f"bench.workloads.{name}")
    module.begin(1)
    run = module.work(0, *args)
    before = stm.stats().conflicts
    with conflicts(lambda: rng.random() < 0.05):
        run(60)
    assert stm.stats().conflicts > before
    module.check()


# ---- the checks can fail: what a lost update or a torn block would leave behind


def lose_tally(module: Module) -> None:
    module.tally[0] = module.tally.get(0, 0) + 1


def cut_list(module: Module) -> None:
    list_of = module.keys
    list_of.next[-1] = list_of.next[list_of.next[-1]]


def cut_level(module: Module) -> None:
    module.keys.next[-1, 5] = 1 << 30
    module.keys.next[-1, 1] = 1 << 30


def misplace(module: Module) -> None:
    module.keys.buckets[0], module.keys.buckets[1] = [1], [64]


def paint(module: Module) -> None:
    tree = module.keys
    for key in (tree.root.value, tree.nodes[tree.root.value][0]):
        left, right, red = tree.nodes[key]
        tree.nodes[key] = (left, right, not red)


def oversell(module: Module) -> None:
    total, used, price = module.offers["car", 0]
    module.offers["car", 0] = (total, used + 1, price)


def double(module: Module) -> None:
    x, y, count = module.sums[0]
    module.sums[0] = (x + 1, y, count)


def forget_piece(module: Module) -> None:
    module.pieces.clear()
    module.pieces[0] = {0: "only"}
    module.position.value += 2


def cross(module: Module) -> None:
    module.paths["a"] = module.paths["b"] = [(0, 0)]


def miswrite(module: Module) -> None:
    module.progress["wrong"] += 1


def lose_part(module: Module) -> None:
    module.rings[0].pop()


def second_token(module: Module) -> None:
    module.tokens.update({0: 0, 1: 5})


def mint(module: Module) -> None:
    tokens, *rest = module.buckets[0]
    module.buckets[0] = (tokens + 1, *rest)


def unhook(module: Module) -> None:
    _, after, value = module.entries[-1]
    module.entries[-1] = (-1, after, value)


def claim_twice(module: Module) -> None:
    module.ends["next"] += 1


def steal(module: Module) -> None:
    module.accounts[0] -= 1


BREAKS: Final[list[tuple[str, Callable[[Module], None]]]] = [
    *((name, lose_tally) for name in SETS),
    ("linked_list", cut_list),
    ("skip_list", cut_level),
    ("hash_set", misplace),
    ("red_black_tree", paint),
    ("bank", steal),
    ("vacation", oversell),
    ("kmeans", double),
    ("intruder", forget_piece),
    ("labyrinth", cross),
    ("genome", miswrite),
    ("objects", lose_part),
    ("token_ring", second_token),
    ("rate_limiter", mint),
    ("lru_cache", unhook),
    ("job_claims", claim_twice),
]


@pytest.mark.parametrize(("name", "damage"), BREAKS)
def test_a_broken_invariant_is_noticed(name: str, damage: Callable[[Module], None]) -> None:
    module: Module = import_module(f"bench.workloads.{name}")
    module.begin(1)
    module.work(0, *([50] if name in SETS else []))(30)
    module.check()
    with stm.atomically():
        damage(module)
    with pytest.raises(Broken):
        module.check()


def test_every_workload_is_broken_once() -> None:
    assert {name for name, _ in BREAKS} == {name for name, _ in VARIANTS}


def test_a_broken_invariant_is_the_error_of_its_case(crew: Crew) -> None:
    class Stealing(Checked):
        def measure(self, seconds: float) -> Timing:
            with stm.atomically():
                steal(self.module)
            self.module.check()
            raise AssertionError("the check has not noticed")

    Checked(crew, "bank", (), 1).measure(0.001)
    found = measure({"bank": Stealing(crew, "bank", (), 1)}, Effort.tiny())
    assert found["bank"].error is not None
    assert found["bank"].error.startswith("Broken: the accounts hold")
    assert workloads.title("linked_list", (10,)) == "linked list, 10 % updates"
