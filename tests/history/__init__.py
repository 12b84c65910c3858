"""Histories: record what concurrent transactions saw, and check that it was right.

    model     a recorded run in columns          hand       histories written by hand, for tests
    record    one file per worker, and loading   simulate   a toy store, right or wrong on purpose
    keyview   what attempts say about one key    order      version orders and dependencies per key
    graph     all dependencies, cyclic groups    cycles     the shortest cycle, and its name
    findings  anomalies, counted by kind         story      a cycle as a story
    check     the one function to call
    workload  what workers of the real store do  run        workers in interpreters and processes

`python -m tests.history --transactions 5000000` is the long form of `test_real.py`.
"""
