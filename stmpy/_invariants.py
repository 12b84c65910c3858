"""What has to hold when a block ends: validators of variables, and invariants over any of them.

The core calls `_check` at the end of each block that writes, once something is registered here. The
functions stay in the interpreter that registered them, as functions can't travel; a module that
registers them where it makes its variables does so in every interpreter that imports it.
(Validators are Clojure's; invariants are `always` of GHC's STM.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stmpy import _native
from stmpy._repr import brief
from stmpy._store import Store, default_store
from stmpy.errors import InvariantViolated, NestedMisuse, StmError, StoreClosed

type _Invariant = Callable[[], object]
type _Validator = Callable[[Store, str, Any], None]

# By the number of the store. What is in them is replaced, never changed: a check may be running.
_invariants: dict[int, tuple[_Invariant, ...]] = {}
_validators: dict[int, dict[str, _Validator]] = {}


def _refused(outcome: object) -> bool:
    """Whether an outcome says no; a function of assertions alone returns None."""
    return outcome is not None and not outcome


def _violated(
    what: str, advice: str, outcome: object, error: Exception | None
) -> InvariantViolated:
    why = f"returned {outcome!r}" if error is None else f"{type(error).__name__}: {error}"
    violated = InvariantViolated(f"{what} ({why}); nothing was changed: {advice}")
    violated.result = outcome
    violated.__cause__ = error
    return violated


def _name(fn: Callable[..., object]) -> str:
    return str(getattr(fn, "__qualname__", None) or repr(fn))


def _broken(fn: _Invariant, outcome: object, error: Exception | None) -> InvariantViolated:
    what = f"invariant {_name(fn)}: does not hold after this block"
    return _violated(what, "let the block keep it, or change the rule", outcome, error)


def _judge(fn: _Invariant, run: Callable[[_Invariant], tuple[bool, object]]) -> None:
    """Raise InvariantViolated if `run(fn)` says that fn concerns the block and does not hold."""
    try:
        concerned, outcome = run(fn)
        refused = concerned and _refused(outcome)
    except StmError:
        raise
    except Exception as error:
        raise _broken(fn, None, error) from error
    if refused:
        raise _broken(fn, outcome, None)


def _validate(what: str, check: Callable[[], object], name: str, key: Any) -> None:
    """Raise InvariantViolated if `check()`, a validator's call for this key, says no."""
    try:
        outcome, error = check(), None
        refused = _refused(outcome)
    except StmError:
        raise
    except Exception as raised:
        outcome, error, refused = None, raised, True
    if refused:
        advice = "write a value that it accepts, or change the validator"
        violated = _violated(what, advice, outcome, error)
        violated.variable, violated.key = name, key
        raise violated


def _validate_written(number: int, validators: dict[str, _Validator]) -> None:
    store = Store(number)
    for name, key in _native._written(validators):
        validators[name](store, name, key)


def _check(number: int) -> None:
    """Check what concerns the open block, on the store with this number."""
    validators = _validators.get(number)
    if validators is not None:
        _validate_written(number, validators)
    for fn in _invariants.get(number, ()):
        _judge(fn, _native._probe)


# ---- registering ---------------------------------------------------------------------------------


def _forget_closed(table: dict[int, Any]) -> None:
    for number in list(table):
        try:
            closed = Store(number).closed
        except StoreClosed:
            closed = True
        if closed:
            del table[number]


def always[F: Callable[[], object]](fn: F, *, store: Store | None = None) -> F:
    """Let `fn()` hold after every block of this interpreter from now on; returns fn.

    It holds unless it raises or returns something false other than None. A block that would break
    it is undone, with `InvariantViolated`. fn only reads, sees what the block has written, and is
    checked where the block wrote something that it reads; that is then part of what the block has
    read, so blocks that pass one by one pass together (no write skew). Checked once here, too,
    with `InvariantViolated` and nothing registered where it does not hold.

    Functions can't travel: other interpreters and forked children that existed before do not
    check it. Register it in the module that makes the variables, and whoever imports that does.
    Each block that writes to the store runs fn to find out what it reads, so keep it short.
    (After `always` of GHC's STM.)
    """
    if not callable(fn):
        raise TypeError(f"always(fn) takes a function, not {fn!r}")
    if _native.in_transaction():
        raise NestedMisuse("always(): registers for good, so no block can undo it; call it before")
    store = store or default_store()
    number = store._number
    _forget_closed(_invariants)
    before = _invariants.get(number, ())
    # Registered before it is checked: a block that ends in between checks it itself.
    _invariants[number] = (*before, fn)
    _native._guard(_check)
    try:
        store.atomically(read_only=True)(lambda: _judge(fn, lambda fn: (True, fn())))()
    except BaseException:
        _invariants[number] = tuple(other for other in _invariants[number] if other is not fn)
        raise
    return fn


def _install(
    store: Store, name: str, fn: object, validator: _Validator, check_all: Callable[[], None]
) -> None:
    """Register a validator, before what is there is checked, and take it back where that fails."""
    if not callable(fn):
        raise TypeError(f"validator= takes a function, not {fn!r}")
    _forget_closed(_validators)
    before = _validators.get(store._number, {})
    _validators[store._number] = before | {name: validator}
    _native._guard(_check)
    try:
        store.run(check_all)
    except BaseException:
        _validators[store._number] = before
        raise


def validate_keys(store: Store, name: str, fn: Callable[[Any, Any], object]) -> None:
    """Let `fn(key, value)` accept what blocks of this interpreter put into a mapping."""

    def check(store: Store, name: str, key: Any) -> None:
        value = _native.Var[Any, Any](store, name)[key]
        what = f"{name}[{brief(key)}] = {brief(value)}: refused by its validator {_name(fn)}"
        _validate(what, lambda: fn(key, value), name, key)

    def check_all() -> None:
        for key in _native.Var[Any, Any](store, name):
            check(store, name, key)

    _install(store, name, fn, check, check_all)


def validate_value(store: Store, name: str, fn: Callable[[Any], object]) -> None:
    """Let `fn(value)` accept what blocks of this interpreter put into a single value."""

    def check(store: Store, name: str, key: Any) -> None:
        value = _native.Ref[Any](store, name).value
        what = f"{name} = {brief(value)}: refused by its validator {_name(fn)}"
        _validate(what, lambda: fn(value), name, key)

    def check_all() -> None:
        if _native.Ref[Any](store, name).value is not None:
            check(store, name, None)

    _install(store, name, fn, check, check_all)
