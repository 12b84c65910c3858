"""How much happens in the models of reclamation."""

from .reclaim import Reclaim
from .reclaim_state import COMMITS


class ReclaimWide(Reclaim):
    """Two readers that read; slots are looked at in one step.

    A snapshot registered after the look began is not older than the clock, so nothing is kept for
    it, and loading both words of a slot later than the first was loaded protects no more.
    """

    name = "reclaim-wide"
    bounds = "2 readers and a committer, 2 keys, 2 transactions of 1 read, 2 commits, 2 sweeps"
    readers = 2
    ops = 1
    commits = 2
    evictions = 0
    extends = False
    look_at_once = True


class ReclaimDeep(Reclaim):
    """One reader with everything: extension, versions read again, a snapshot that is given up."""

    name = "reclaim-deep"
    bounds = "1 reader and a committer, 2 keys, 1 transaction of 3 operations, 3 commits, 2 sweeps"
    transactions = 1
    readers = 1
    ops = 3
    commits = COMMITS
    evictions = 1
    extends = True
    look_at_once = False


MODELS = (ReclaimWide, ReclaimDeep)
