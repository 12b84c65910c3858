"""The house rules that a machine can check. Each rule is shown to catch a planted violation."""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("stmpy", "tests", "models", "bench", ".ci")
TOP = ("pyproject.toml", "Makefile", "README.md", "CHANGELOG.md")
SUFFIXES = {".py", ".pyi", ".c", ".h", ".md", ".toml", ".txt", ".supp", ".script", ""}

FILE_LINES = 400
FUNCTION_LINES = 60

type Finding = tuple[int, str]
type Rule = Callable[[str, str], Iterator[Finding]]


def is_c(name: str) -> bool:
    return name.endswith((".c", ".h"))


def without_comments(text: str) -> str:
    """C code with comments, strings and characters blanked, its lines kept."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.DOTALL)


def matches(pattern: str, text: str, message: str) -> Iterator[Finding]:
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield text.count("\n", 0, match.start()) + 1, message.format(match[0].strip())


def file_is_short(name: str, text: str) -> Iterator[Finding]:
    lines = len(text.splitlines())
    if lines >= FILE_LINES:
        yield lines, f"{lines} lines; a file has fewer than {FILE_LINES}"


def python_function_is_short(name: str, text: str) -> Iterator[Finding]:
    if not name.endswith(".py"):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1
            if lines >= FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {lines} lines, not under {FUNCTION_LINES}"


def c_function_is_short(name: str, text: str) -> Iterator[Finding]:
    """A definition starts in the first column, and so does the brace that ends it."""
    if not is_c(name):
        return
    head, start = "", 0
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        if line.startswith("}"):
            lines = number - start + 1
            if ")" in head.partition("{")[0] and lines >= FUNCTION_LINES:
                yield start, f"the function has {lines} lines, not under {FUNCTION_LINES}"
            head = ""
        elif re.match(r"[A-Za-z_]", line) and ("{" not in head or ";" in line):
            head, start = line, number
        elif head and "{" not in head:
            head += line


def python_h_stays_in_py_files(name: str, text: str) -> Iterator[Finding]:
    if is_c(name) and not Path(name).name.startswith("py_"):
        yield from matches(r"#\s*include\s*[<\"]Python\.h", text, "{} outside py_*")


def nothing_is_left_to_do(name: str, text: str) -> Iterator[Finding]:
    words = "|".join(("TODO", "FIXME", "XXX", "HACK"))
    yield from matches(rf"\b(?:{words})\b", text, "{}: do it or leave it out")


def no_volatile(name: str, text: str) -> Iterator[Finding]:
    if is_c(name):
        code = re.sub(r"__asm__ volatile|asm volatile", "", without_comments(text))
        yield from matches(r"\bvolatile\b", code, "{} orders nothing: use an atomic")


def no_standalone_fence(name: str, text: str) -> Iterator[Finding]:
    if is_c(name):
        fence = r"\b(?:atomic_(?:thread|signal)_fence|__atomic_(?:thread|signal)_fence"
        yield from matches(fence + r"|__sync_synchronize)\b", without_comments(text), "{}")


def atomics_name_their_order(name: str, text: str) -> Iterator[Finding]:
    if not is_c(name):
        return
    code = without_comments(text)
    implicit = r"\batomic_(?:load|store|exchange|compare_exchange_\w+|fetch_\w+)(?<!_explicit)\s*\("
    yield from matches(implicit, code, "{}…) names no memory order")
    yield from matches(r"\b__sync_\w+\s*\(", code, "{}…) names no memory order")
    if name.startswith("stmpy/") and Path(name).name != "platform.h":
        standard = r"atomic_(?:load|store|exchange|compare_exchange|fetch|init|flag)\w*\s*\("
        yield from matches(rf"\b_Atomic\b|\b{standard}", code, "{}: atomics live in platform.h")


def fields(text: str) -> tuple[set[str], set[str]]:
    """The names that a C text declares as shared, and those that it declares as anything else."""
    shared = r"\bshared_u\d+ (\w+)(?:\[\w+\])?;"
    code = without_comments(text)
    others = re.findall(r"\b(?:\w+ )+(\**\w+[^;(){}=]*);", re.sub(shared, "", code))
    plain = {name for names in others for name in re.findall(r"(?:^|,\s*)\**(\w+)", names)}
    return set(re.findall(shared, code)), plain


@cache
def fields_of_headers() -> tuple[set[str], set[str]]:
    folders = ("stmpy/_core", "tests/c", "tests/sim")
    return fields("".join(path.read_text() for f in folders for path in (ROOT / f).glob("*.h")))


def shared_fields_go_through_platform_h(name: str, text: str) -> Iterator[Finding]:
    """`x->field` alone is an access in an order nobody chose; `load_acquire(&x->field)` is not.

    A name that is also declared as a plain field somewhere cannot be told apart, and is left out.
    """
    if not is_c(name):
        return
    (shared, plain), (more_shared, more_plain) = fields_of_headers(), fields(text)
    shared, plain = shared | more_shared, plain | more_plain
    if shared - plain:
        step = r"(?:\([^()]*\)|\[[^\]]*\]|->\w+|\.\w+)*"
        bare = rf"(?<![&\w>.])\w+{step}(?:->|\.)(?:{'|'.join(sorted(shared - plain))})\b"
        yield from matches(bare, without_comments(text), "{}: take it by address, with an order")


def no_machine_paths(name: str, text: str) -> Iterator[Finding]:
    places = "|".join(("/root/", "/home/", "/work/", "/opt/", "/Users/"))
    yield from matches(rf"(?<![\w.}}])(?:{places})\S*", text, "{} exists on one machine")


def no_registry_hosts(name: str, text: str) -> Iterator[Finding]:
    hosts = r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|deb\.debian\.org"
    yield from matches(hosts, text, "{}: registries are the machine's business")


RULES: list[Rule] = [
    file_is_short,
    python_function_is_short,
    c_function_is_short,
    python_h_stays_in_py_files,
    nothing_is_left_to_do,
    no_volatile,
    no_standalone_fence,
    atomics_name_their_order,
    shared_fields_go_through_platform_h,
    no_machine_paths,
    no_registry_hosts,
]


def sources() -> Iterator[Path]:
    """All text of the project but this file, which holds the planted violations."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            hidden = "__pycache__" in path.parts or path == Path(__file__)
            if path.is_file() and path.suffix in SUFFIXES and not hidden:
                yield path
    yield from (ROOT / name for name in TOP)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_sources_keep(rule: Rule) -> None:
    found = []
    for path in sources():
        name = str(path.relative_to(ROOT))
        found += [f"{name}:{line}: {what}" for line, what in rule(name, path.read_text())]
    assert not found, "\n" + "\n".join(found)


PLANTED = [
    (file_is_short, "a.py", "\n" * 400),
    (python_function_is_short, "a.py", "def f():\n" + "    x = 1\n" * 59),
    (c_function_is_short, "a.c", "int f(void)\n{\n" + "    x();\n" * 57 + "}\n"),
    (c_function_is_short, "a.c", "int f(int a,\n      int b) {\n" + "    x();\n" * 57 + "}\n"),
    (python_h_stays_in_py_files, "stmpy/_core/slot.c", "#include <Python.h>\n"),
    (python_h_stays_in_py_files, "stmpy/_core/slot.h", '# include "Python.h"\n'),
    (nothing_is_left_to_do, "a.md", "later: TODO\n"),
    (no_volatile, "a.c", "static volatile int x;\n"),
    (no_standalone_fence, "a.h", "atomic_thread_fence(memory_order_seq_cst);\n"),
    (atomics_name_their_order, "a.c", "atomic_fetch_add(&x, 1);\n"),
    (atomics_name_their_order, "a.c", "__sync_fetch_and_add(&x, 1);\n"),
    (atomics_name_their_order, "stmpy/_core/a.c", "_Atomic int x; void f(void) { x++; }\n"),
    (atomics_name_their_order, "platform.h", "atomic_load(p)\n"),
    (
        shared_fields_go_through_platform_h,
        "a.c",
        "struct s { shared_u32 spin; };\nvoid f(struct s *x) { x->spin++; }\n",
    ),
    (no_machine_paths, "a.py", "open('/home/me/x')\n"),
    (no_registry_hosts, "a.toml", "index = 'https://pypi.org/simple'\n"),
]


@pytest.mark.parametrize(("rule", "name", "text"), PLANTED)
def test_planted_violation_is_found(rule: Rule, name: str, text: str) -> None:
    assert list(rule(name, text))


ALLOWED = [
    (file_is_short, "a.py", "\n" * 399),
    (python_function_is_short, "a.py", "def f():\n" + "    x = 1\n" * 58),
    (c_function_is_short, "a.c", "int f(void)\n{\n" + "    x();\n" * 56 + "}\n"),
    (c_function_is_short, "a.c", "static int table[] = {\n" + "    1,\n" * 90 + "};\n"),
    (python_h_stays_in_py_files, "stmpy/_core/py_slot.c", "#include <Python.h>\n"),
    (no_volatile, "a.c", "/* volatile would not do */\n"),
    (atomics_name_their_order, "platform.h", "atomic_load_explicit(p, memory_order_acquire)\n"),
    (
        shared_fields_go_through_platform_h,
        "a.c",
        "struct s { shared_u32 spin; };\nint f(struct s *x) { return load_relaxed(&x->spin); }\n",
    ),
]


@pytest.mark.parametrize(("rule", "name", "text"), ALLOWED)
def test_what_is_allowed_passes(rule: Rule, name: str, text: str) -> None:
    assert not list(rule(name, text))
