"""What `analyse` says of blocks of every shape, and that each runs as if once."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from types import CodeType

import pytest

from stmpy._sites import Site, analyse
from tests.rerun.run import run
from tests.rerun.shapes import LEAVING, STARTING, Shape
from tests.rerun.shapes_names import NAMING
from tests.rerun.toy import Lock, Rerunner

SHAPES = (*LEAVING, *STARTING, *NAMING)
MOST_POINTS = 40


def each(*shapes: Shape) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("shape", shapes, ids=lambda shape: shape.name)


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def find_site(text: str) -> Site:
    """The site of the item whose expression is `block()`, found without running the text."""
    lines = text.splitlines()
    found: list[Site] = []
    for code in codes(compile(text, "<shape>", "exec")):
        for unit, (line, _, start, end) in enumerate(code.co_positions()):
            if line is not None and lines[line - 1][start:end] == "block()":
                found.append(analyse(code, 2 * unit))
    entered = [site for site in found if "not called by" not in site.reason]
    assert len(entered) <= 1
    return entered[0] if entered else found[0]


@each(*SHAPES)
def test_site(shape: Shape) -> None:
    site = find_site(textwrap.dedent(shape.text))
    assert shape.reason in site.reason
    assert site.rerunnable == (not shape.reason)
    assert site.suspends == shape.suspends
    if site.rerunnable:
        ends = [offset for offset, _ in site.exits if offset != site.handler]
        assert len(ends) == shape.ends
        assert " ".join(site.names) == shape.names
        assert " ".join(site.globals) == shape.globals
        assert " ".join(site.must_be_bound) == shape.must_be_bound
    else:
        assert site.exits == ()


def losing_at(numbers: set[int]) -> Callable[[], bool]:
    """Loses where the count of decisions so far is one of the numbers."""
    count = -1

    def loses() -> bool:
        nonlocal count
        count += 1
        return count in numbers

    return loses


@each(*(shape for shape in SHAPES if not shape.suspends))
def test_shape_runs_as_if_once(shape: Shape) -> None:
    code = compile(textwrap.dedent(shape.text), "<program>", "exec")
    expected = run(Lock(), code, 1, False)
    with Rerunner() as stm:
        for first in range(MOST_POINTS):
            for numbers in ({first}, {first, first + 1, first + 3}):
                stm.start(losing_at(numbers))
                assert run(stm, code, 1, False) == expected
    assert (stm.reruns > 0) == (not shape.reason and not shape.unbound)
