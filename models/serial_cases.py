"""The lock with and without deadlines, with blocks that follow each other, and with a death."""

from collections.abc import Sequence
from typing import ClassVar

from .checker.model import Eventually
from .serial import Serial


class SerialPatient(Serial):
    """Nobody gives up, and serial blocks wait for changes."""

    name = "serial-patient"
    bounds = "3 threads, 1 transaction each that may run 3 times"
    kinds: ClassVar[Sequence[str]] = ("ordinary", "serial", "serial await")
    give_ups = 0


class SerialOnce(Serial):
    """Blocks follow each other, and one sleep is given up.

    Too large for the graph that liveness needs; but nobody naps, so a lost wake-up is a deadlock.
    """

    name = "serial-once"
    bounds = "3 threads, 2 transactions each, ordinary and serial, 1 deadline or signal"
    transactions = 2
    give_ups = 1

    def eventually(self) -> Sequence[Eventually]:
        return ()


class SerialDeath(SerialPatient):
    """One dies anywhere; a nap ends each sleep."""

    name = "serial-death"
    bounds = "3 threads, 1 transaction each, a death at any step, no waiting for a change"
    kinds = ("ordinary", "serial")
    deaths = 1


MODELS = (Serial, SerialPatient, SerialOnce, SerialDeath)
