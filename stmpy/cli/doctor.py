"""Say what of stmpy works in this Python, and which packages an isolated interpreter can import."""

import argparse
import os
import platform
import resource
import sys
import threading
from collections.abc import Iterator
from typing import Final

__all__ = ["add_arguments", "run"]

type Finding = tuple[bool, str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exits with 1 if something that stmpy needs does not work."
    what = parser.add_subparsers(metavar="imports")
    imports = what.add_parser("imports", help="try to import packages in an isolated interpreter")
    imports.add_argument("packages", nargs="+", metavar="PKG")
    parser.set_defaults(packages=())


def run(args: argparse.Namespace) -> int:
    findings = imported(args.packages) if args.packages else checked()
    good = True
    for fine, what, found in findings:
        print(f"{'ok ' if fine else 'NO '} {what:22} {found}", flush=True)
        good = good and fine
    return 0 if good else 1


# ---- this Python -------------------------------------------------------------------------------


def checked() -> Iterator[Finding]:
    """What is found, one after another."""
    yield sys.version_info >= (3, 13), "Python", f"{platform.python_version()}, {sys.executable}"
    yield own_gil()
    yield rerunnable()
    yield memory_file()
    yield from limits()


TURNS: Final = 200_000


def own_gil() -> Finding:
    """An interpreter has a GIL of its own if a thread in it runs while this one keeps ours."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return True, "GIL", "there is none: a free-threaded build"
    import _interpreters

    ours, theirs = os.pipe(), os.pipe()
    id = _interpreters.create("isolated")
    program = f"import os; os.read({ours[0]}, 1); os.write({theirs[1]}, b'x')"
    thread = threading.Thread(target=lambda: _interpreters.exec(id, program))
    thread.start()
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)  # from here on nobody else gets our GIL
    try:
        os.set_blocking(theirs[0], False)
        os.write(ours[1], b"x")
        alone = True
        for _ in range(TURNS):
            try:
                os.read(theirs[0], 1)
            except BlockingIOError:
                continue
            alone = False
            break
    finally:
        sys.setswitchinterval(before)
        thread.join()
        _interpreters.destroy(id)
        for end in (*ours, *theirs):
            os.close(end)
    if alone:
        return False, "GIL", "interpreters share one: they take turns"
    return True, "GIL", "each interpreter has one of its own"


def rerunnable() -> Finding:
    """A with-block that is made to conflict once must run again."""
    import stmpy as stm
    from stmpy.testing import conflicts

    again, reason = False, None
    with stm.open(max_bytes=1 << 16) as store:
        table = store.TVar("doctor", {"n": 0})
        with conflicts([True]), store.atomically() as tx:
            reason = tx.serial_reason
            table["n"] += 1
        again = store.stats().conflicts == 1 and table["n"] == 1
    if again:
        return True, "with-blocks", "run again after a conflict"
    return False, "with-blocks", f"run serially, alone among writers: {reason or 'no events'}"


def memory_file() -> Finding:
    try:
        os.close(os.memfd_create("stmpy-doctor"))
    except OSError as error:
        return False, "memory files", f"memfd_create: {error.strerror}"
    return True, "memory files", "can be made"


def limits() -> Iterator[Finding]:
    """What keeps a store from growing, beside its own `max_bytes`."""
    from stmpy._store import _default_size

    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    size = _default_size()
    if soft == resource.RLIM_INFINITY:
        yield True, "address space", "no limit"
    else:
        enough = soft > 2 * size
        yield enough, "address space", f"{soft >> 20:,} MiB (ulimit -v)"
    yield True, "default store", f"up to {size >> 20:,} MiB, taken as it fills"
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            with open(f"/sys/fs/cgroup/{name}") as file:
                most = file.read().strip()
        except OSError:
            continue
        if most.isdecimal() and int(most) < 1 << 60:
            yield int(most) > size, "control group", f"{int(most) >> 20:,} MiB ({name})"


# ---- packages ----------------------------------------------------------------------------------


def imported(packages: list[str]) -> Iterator[Finding]:
    """Whether each package can be imported in an isolated interpreter of its own."""
    for package in packages:
        yield in_isolation(package)


IMPORT: Final = """
import _interpreters, sys
id = _interpreters.create("isolated")
failure = _interpreters.exec(id, sys.argv[1])
_interpreters.destroy(id)
sys.exit(failure and f"{failure.type.__name__}: {failure.msg}")
"""


def in_isolation(package: str) -> Finding:
    """In a process of its own as well: an extension that was not made for it may crash."""
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", IMPORT, f"import importlib; importlib.import_module({package!r})"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return True, package, "imports"
    if done.returncode < 0:
        return False, package, f"ends the process with signal {-done.returncode}"
    lines = done.stderr.strip().splitlines() or ["failed without a word"]
    return False, package, lines[-1]
