"""Power cuts: what may be on the disk after one, and what the store makes of it.

    python -m tests.durable.powerloss 3000 [--seed S] [--plant NAME] [--recording FILE]

`recorder.c` writes down what a run of `program.py`, and its keeper, does to the files of a store,
and when which block was acknowledged; `recording.py` starts such a run and reads what was written
down. `crash.py` is the disk: it rebuilds what a power cut at some moment may leave. `verify.py`
opens that with the real recovery and judges. `campaign.py` does this many times over; `plants.py`
holds the bugs that must be found. (The method is that of ALICE, Pillai et al., OSDI 2014.)
"""
