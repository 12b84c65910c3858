"""What a model is: guarded actions of identical threads over one state of bytes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from .layout import Layout

type Guarded = Callable[[bytearray, int], bool | None]
"""Changes the state for the thread whose record starts at the offset given.

Returning False means that the action is not enabled here; what it wrote is thrown away.
"""

type Action = tuple[str, Guarded]
type Step = tuple[str, int, bytes]
"""Name of the action, index of the thread that took it, next state."""


class Broken(Exception):
    """An action found that a property does not hold."""

    def __init__(self, prop: str) -> None:
        super().__init__(prop)
        self.prop = prop


@dataclass(frozen=True, slots=True)
class Eventually:
    """Liveness: after `when` held, `goal` holds at some later moment, in every fair run."""

    name: str
    when: Callable[[bytes], bool]
    goal: Callable[[bytes], bool]


class Model:
    """Base of all models.

    A subclass sets `name`, `bounds` and `layout`, fills `program` (for each value of a
    thread's program counter the actions it may take there) and `anywhere` (actions that are
    possible at every program counter, such as death or the flush of a store buffer), and
    overrides what it needs below.  `mutate` names the line of the protocol that is left out.

    Partial-order reduction: at the program counters in `eager` a thread's next action is taken
    before anything else happens.  That is sound (an ample set, Clarke, Grumberg and Peled) for an
    action that is always enabled, does not lead back to itself by eager actions alone, is not
    seen by the invariants, and commutes with whatever the others can do before it: because it
    touches the thread's own fields alone, or reads what only the owner of a lock it holds can
    change, or gives that lock back.
    """

    name: ClassVar[str] = ""
    bounds: ClassVar[str] = ""
    layout: ClassVar[Layout]
    transactions: int = 2
    """How many each thread runs."""
    unfair: ClassVar[frozenset[str]] = frozenset()
    """Actions that need not happen even when they stay possible: deaths, spurious wake-ups."""
    strong: ClassVar[frozenset[str]] = frozenset()
    """Actions that happen if they are possible again and again, such as getting a lock."""

    def __init__(self, mutate: str = "") -> None:
        self.mutate = mutate
        self.program: Sequence[Sequence[Action]] = ()
        self.anywhere: Sequence[Action] = ()
        self.eager: frozenset[int] = frozenset()

    def initial(self) -> Iterable[bytes]:
        """All states in which a run may begin."""
        raise NotImplementedError

    def steps(self, state: bytes) -> list[Step]:
        """Everything that can happen next; raises `Broken` where an action finds a fault."""
        out: list[Step] = []
        program, anywhere, eager = self.program, self.anywhere, self.eager
        for index, base in enumerate(self.layout.bases):
            counter = state[base]
            for name, apply in program[counter]:
                s = bytearray(state)
                if apply(s, base) is not False:
                    out.append((name, index, bytes(s)))
            if counter in eager:
                return out[-1:]
            for name, apply in anywhere:
                s = bytearray(state)
                if apply(s, base) is not False:
                    out.append((name, index, bytes(s)))
        return out

    def canonical(self, state: bytes) -> bytes:
        """The representative of all states that are the same but for names."""
        return state

    def broken(self, state: bytes) -> str | None:
        """The invariant that does not hold in this state, or None."""
        return None

    def done(self, state: bytes) -> bool:
        """Whether a run may end here; anywhere else an end is a deadlock."""
        return False

    def eventually(self) -> Sequence[Eventually]:
        """The liveness properties."""
        return ()


def require(condition: bool, prop: str) -> None:
    """Called by actions: the property `prop` demands `condition`."""
    if not condition:
        raise Broken(prop)


def action(apply: Callable[..., bool | None], detail: str = "", **arguments: int) -> Action:
    """Name an action after its function, which is named after the C function it stands for.

    A double underscore separates the C function from the step within it.  `arguments` are filled
    in for parameters after the first two; `detail` tells the results apart.
    """
    name = apply.__name__.replace("__", ".")
    guarded = partial(apply, **arguments) if arguments else apply
    return (f"{name} {detail}" if detail else name, guarded)
