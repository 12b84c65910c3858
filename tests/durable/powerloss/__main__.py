"""The command: see the package."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.durable.powerloss import __doc__ as about
from tests.durable.powerloss.campaign import STATES_A_RUN, again, run
from tests.durable.powerloss.plants import PLANTS
from tests.durable.powerloss.recording import Plan


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.durable.powerloss", description=about)
    parser.add_argument("states", type=int, help="how many power cuts")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--relaxed", action="store_true", help="blocks may be lost, none torn")
    parser.add_argument("--plant", choices=PLANTS, default="", help="a bug that must be found")
    parser.add_argument("--recording", type=Path, help="judge the states of this one again")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    if options.recording:
        figures = again(options.recording, options.states)
    else:
        plan = Plan(0, relaxed=options.relaxed, plant=options.plant)
        runs = 1 + options.states // STATES_A_RUN
        keep = Path(tempfile.gettempdir())
        figures = run(options.states, options.seed, plan, runs, keep)
    print(
        f"{figures.states} states, {len(figures.different)} different, of {figures.runs} runs with "
        f"{figures.blocks} blocks; in {figures.lost} something acknowledged is lost, "
        f"{len(figures.wrong)} are wrong"
    )
    print(*figures.wrong[:20], sep="\n")
    return 1 if figures.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
