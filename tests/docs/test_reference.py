"""The reference names every public name, with the arguments and defaults that it has."""

import inspect
import re
from typing import Any

import pytest

import stmpy as stm
from tests.docs.examples import ROOT

TEXT = (ROOT / "docs/reference.md").read_text()
ENTRY = re.compile(r"^\*\*`stm\.(\w+)(\(.*\))?`\*\*", re.MULTILINE)
# A line of members: `name` or `name(arguments)`, with commas between and a colon at the end.
MEMBER = re.compile(r"`(\w+)(\([^`]*\))?`[,:]")
# What the standard library's executor has beside its interface, and what all structures have.
UNNAMED = {
    "InterpreterPool": {"BROKEN", "prepare_context"},
    "structures": {"name", "store"},
}


def entries() -> dict[str, tuple[str, str]]:
    """By name: the arguments, and the text up to the next entry."""
    found: dict[str, tuple[str, str]] = {}
    starts = list(ENTRY.finditer(TEXT))
    for entry, after in zip(starts, [*starts[1:], None], strict=True):
        text = TEXT[entry.end() : after.start() if after else len(TEXT)]
        found[entry[1]] = (entry[2] or "", text)
    return found


def members(text: str) -> dict[str, str]:
    """By name: the arguments of each member that the lines of a text name."""
    found: dict[str, str] = {}
    for part in re.findall(r"^- ((?:.+\n)(?:  .+\n)*)", text, re.MULTILINE):
        names = re.match(r"(?:\s*`\w+(?:\([^`]*\))?`[,:])+", part)
        assert names, part
        found.update(MEMBER.findall(names[0]))
    return found


def parameters(arguments: str) -> list[tuple[str, Any, Any]]:
    namespace: dict[str, Any] = {}
    exec(f"def given{arguments}: ...", namespace)
    return described(inspect.signature(namespace["given"]))


def described(signature: inspect.Signature) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


def actual(target: Any) -> list[tuple[str, Any, Any]] | None:
    """As `parameters`; None where CPython can't tell."""
    try:
        return described(inspect.signature(target))
    except ValueError:
        return None


ENTRIES = entries()


def test_it_names_all_there_is() -> None:
    assert sorted(ENTRIES) == sorted(stm.__all__)
    assert set(stm.__all__) <= set(dir(stm))
    namespace: dict[str, Any] = {}
    exec("from stmpy import *", namespace)
    assert namespace.keys() - {"__builtins__"} == set(stm.__all__)


@pytest.mark.parametrize("name", [name for name, (given, _) in ENTRIES.items() if given])
def test_arguments(name: str) -> None:
    given, found = parameters(ENTRIES[name][0]), actual(getattr(stm, name))
    assert found is not None or name == "atomically"
    assert found in (None, given)


def test_the_options_of_a_block() -> None:
    """CPython can't tell those; the stub can, and the defaults are what changes nothing."""
    options = {name: default for name, _, default in parameters(ENTRIES["atomically"][0])}
    stub = (ROOT / "stmpy/_native.pyi").read_text()
    typed = stub.partition("class Options(")[2].partition("class _Options")[0]
    assert {*re.findall(r"^    (\w+):", typed, re.MULTILINE), "store"} == options.keys()
    with stm.atomically(**options) as block:
        assert (block.label, block.serial) == (None, False)


CLASSES = [name for name in ENTRIES if inspect.isclass(getattr(stm, name))]


@pytest.mark.parametrize("name", [name for name in CLASSES if name[-5:] != "Error"])
def test_members(name: str) -> None:
    kind, listed = getattr(stm, name), members(ENTRIES[name][1])
    public = {member for member in dir(kind) if not member.startswith("_")}
    if issubclass(kind, Exception):
        public -= {member for base in kind.__mro__[1:] for member in dir(base)}
        assert public <= set(re.findall(r"`(\w+)`", ENTRIES[name][1]))
        return
    if kind.__module__.startswith("stmpy.structs"):
        public -= UNNAMED["structures"]
    public |= {"fn", "store"} if name == "derived" else set()
    assert set(listed) == public - UNNAMED.get(name, set())
    for member, given in listed.items():
        found = actual(getattr(kind, member)) if given and given != "(…)" else None
        if found is not None and member != "map":
            assert described_without_kinds(found[1:]) == described_without_kinds(parameters(given))


def described_without_kinds(them: list[tuple[str, Any, Any]]) -> list[tuple[str, Any]]:
    """That `self` and others can't be given by name is left out of the page."""
    return [(name, default) for name, _, default in them]


def test_a_wrong_page_is_found() -> None:
    assert parameters("(a, b=1)") != actual(lambda a, b=2: None)
    assert parameters("(a, *, b=1)") != actual(lambda a, b=1: None)
    assert parameters("(a, *, b=1)") == actual(lambda a, *, b=1: None)
    assert members("- `a(b=1)`, `c`: text\n  `d`\n- `e()`,\n  `f`: text\n") == {
        "a": "(b=1)",
        "c": "",
        "e": "()",
        "f": "",
    }
