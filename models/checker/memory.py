"""Store buffers of x86-TSO (Owens, Sarkar, Sewell: "A Better x86 Memory Model", 2009).

A plain store (relaxed or release) goes to the end of the thread's own FIFO buffer; the thread
itself sees it at once, the others only after the flush, which may happen at any later time.  A
locked instruction (exchange, compare-and-swap, and a seq_cst store, which compilers make an
exchange) writes to memory directly and waits until the buffer is empty.  So the only reordering
is that of a store behind a later load, and that is what a missing seq_cst lets in.

Places are named by offset.  A thread's buffer lives in its own record; places in that record are
named relative to it, so that records can be exchanged by symmetry reduction.
"""

from .layout import NONE

_OWN = 0x80


class StoreBuffer:
    """A buffer of `capacity` entries at offset `at` of each thread's record.

    It occupies `2 * capacity` bytes: place and value of each entry, oldest first.  A full buffer
    blocks the next store until an entry is flushed, as in hardware; a capacity as large as the
    longest run of plain stores loses no behaviour.
    """

    def __init__(self, at: int, capacity: int) -> None:
        self.at = at
        self.end = at + 2 * capacity

    @staticmethod
    def own(offset: int) -> int:
        """The place at `offset` of the storing thread's own record."""
        return _OWN | offset

    def store(self, s: bytearray, t: int, place: int, value: int) -> bool:
        """A relaxed or release store.  False while the buffer is full."""
        for i in range(t + self.at, t + self.end, 2):
            if s[i] == NONE:
                s[i] = place
                s[i + 1] = value
                return True
        return False

    def put(self, s: bytearray, t: int, place: int, value: int) -> bool:
        """A relaxed or release store with no load before the buffer is empty again.

        It need not wait in the buffer: if the thread loads nothing that others write until its
        next locked instruction, letting others go first between store and flush is the same as
        letting them go first before the store.
        """
        return self.exchange(s, t, place, value) or self.store(s, t, place, value)

    def exchange(self, s: bytearray, t: int, place: int, value: int) -> bool:
        """A seq_cst store or a locked instruction.  False while the buffer is not empty."""
        if s[t + self.at] != NONE:
            return False
        s[_where(t, place)] = value
        return True

    def load(self, s: bytearray, t: int, place: int) -> int:
        """What the thread sees: its own newest store to the place, else memory."""
        for i in range(t + self.end - 2, t + self.at - 1, -2):
            if s[i] == place:
                return s[i + 1]
        return s[_where(t, place)]

    def drained(self, s: bytearray, t: int) -> bool:
        """Whether everything the thread stored is visible to all."""
        return s[t + self.at] == NONE

    def flush(self, s: bytearray, t: int) -> bool | None:
        """The action that lets the oldest entry become visible."""
        at = t + self.at
        place = s[at]
        if place == NONE:
            return False
        s[_where(t, place)] = s[at + 1]
        end = t + self.end
        s[at:end] = s[at + 2 : end] + bytes((NONE, NONE))
        return None


def _where(t: int, place: int) -> int:
    return t + (place ^ _OWN) if place & _OWN else place
