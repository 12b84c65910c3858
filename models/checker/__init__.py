"""A small explicit-state model checker.

States are `bytes`, threads are guarded actions, the search is breadth-first, and so the first
counterexample is a shortest one.  Identical threads are interchangeable (symmetry reduction),
store buffers are a library (`StoreBuffer`), liveness is checked under weak or strong fairness.

    layout     names of the bytes of a state        model      what a model is
    search     all states: safety and deadlock      trace      counterexamples as text
    graph      all states with their steps          liveness   fair cycles without the goal
    memory     store buffers of x86-TSO             symmetry   where fields name threads
"""
