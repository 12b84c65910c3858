"""Golden scripts: one anomaly each, in a file that says what must happen under either isolation.

script   what a script file says        player   lets transactions take steps in turn
actor    one transaction, in a thread of any interpreter
"""
