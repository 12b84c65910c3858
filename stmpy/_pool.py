"""`InterpreterPool`: an executor whose workers are interpreters, each with its own GIL.

From CPython 3.14 on this is the standard library's `InterpreterPoolExecutor`. On 3.13, which has
the interpreters but no pool, `stmpy._pool_workers` gives the same interface.

    with stm.InterpreterPool(4) as pool:
        futures = [pool.submit(work, part) for part in parts]

Functions are found by name, as with `ProcessPoolExecutor`: put them in a module, or in the main
script outside `if __name__ == "__main__":`. Arguments and results are copied. Handles such as
`TVar` stay the same variable on the other side, so what is shared needs no copy.
"""

import sys

if sys.version_info >= (3, 14):
    from concurrent.futures import InterpreterPoolExecutor as InterpreterPool
    from concurrent.futures.interpreter import BrokenInterpreterPool
    from concurrent.interpreters import ExecutionFailed, NotShareableError
else:
    from stmpy._pool_calls import ExecutionFailed, NotShareableError
    from stmpy._pool_workers import BrokenInterpreterPool, InterpreterPool

__all__ = ["BrokenInterpreterPool", "ExecutionFailed", "InterpreterPool", "NotShareableError"]
