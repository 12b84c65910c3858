"""Structures of transactional variables, made of the public API alone.

Every operation is a block of its own, or part of the block it is called in: so structures compose.
Where an operation has to wait it retries the block, and `stmpy.or_else` can choose among several.
Their handles travel to other interpreters, and a name finds the same structure everywhere.

Signatures and exceptions follow `queue` and `threading`.
"""

from stmpy.structs._base import Structure as Structure
from stmpy.structs._channel import Closed as Closed
from stmpy.structs._channel import Subscription as Subscription
from stmpy.structs._channel import TChannel as TChannel
from stmpy.structs._collections import TCounter as TCounter
from stmpy.structs._collections import TSet as TSet
from stmpy.structs._queues import Empty as Empty
from stmpy.structs._queues import Full as Full
from stmpy.structs._queues import TPriorityQueue as TPriorityQueue
from stmpy.structs._queues import TQueue as TQueue
from stmpy.structs._sync import BrokenBarrier as BrokenBarrier
from stmpy.structs._sync import TBarrier as TBarrier
from stmpy.structs._sync import TEvent as TEvent
from stmpy.structs._sync import TLatch as TLatch
from stmpy.structs._sync import TSemaphore as TSemaphore
