"""Moving the frame of a block back to the start of its body, with its names as they were.

These run only when a block rebinds names that need it, or conflicts. The C core calls them: `save`
when it enters a block, `run_again` from the LINE event at one of its ends.
"""

from __future__ import annotations

from types import FunctionType

TYPE_CHECKING = False  # see stmpy/_store.py
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Final

    from stmpy._sites import Site

type Saved = tuple[dict[str, Any], dict[str, Any]]

_OPTIMIZED: Final = 0x1  # inspect.CO_OPTIMIZED


def save(frame: FrameType, site: Site) -> Saved | None:
    """The values of the names that have to be put back; None if the block can't be run again."""
    bound = frame.f_locals
    if any(name not in bound for name in site.must_be_bound):
        return None
    outside = frame.f_globals
    return (
        {name: bound[name] for name in site.names if name in bound},
        {name: outside[name] for name in site.globals if name in outside},
    )


def run_again(frame: FrameType, site: Site, plan: tuple[int, ...], saved: Saved) -> None:
    """Move `frame` from an end of the block to the start of the body.

    The names are put back after the move, as it drops a value to return, which may be borrowed
    from a local.
    """
    _jump(frame, plan)
    _put_back(frame.f_globals, site.globals, saved[1])
    if not frame.f_code.co_flags & _OPTIMIZED:
        _put_back(frame.f_locals, site.names, saved[0])
    elif site.names:
        # No local can be unbound from here; None takes the place of what was unbound, as
        # everywhere after a jump. The site has seen to it that nobody can tell.
        bound = frame.f_locals
        for name in site.names:
            bound[name] = saved[0].get(name)


def _put_back(namespace: dict[str, Any], names: tuple[str, ...], saved: dict[str, Any]) -> None:
    for name in names:
        if name in saved:
            namespace[name] = saved[name]
        elif name in namespace:
            del namespace[name]


def _jump_aloud(frame: FrameType, plan: tuple[int, ...]) -> None:
    for line in plan:
        frame.f_lineno = line  # type: ignore[misc]  # writable while an event is handled


# The assignment binds unbound locals to None and warns of it, in the name of the module that the
# topmost frame belongs to. For a module without a name nobody is warned, and no filter is asked.
_jump: Final = FunctionType(_jump_aloud.__code__, {"__name__": None})
