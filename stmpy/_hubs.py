"""The hub of this interpreter in each store."""

from stmpy import _native
from stmpy._store import Store

_hubs: dict[int, _native.Hub] = {}


def hub_of(store: Store) -> _native.Hub:
    """The hub for what is not the business of one loop; lives as long as the interpreter."""
    hub = _hubs.get(store._number)
    if hub is None or hub.closed:
        for number in [number for number, hub in _hubs.items() if hub.closed]:
            del _hubs[number]
        hub = _hubs[store._number] = _native.Hub(store)
    return hub
