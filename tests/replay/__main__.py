"""`python -m tests.replay [--runs N] [--seed N] [--plant NAME]`: real runs against the models."""

import argparse
import random
import time

from tests.replay.driver import MODELS, build, draw, record, replay

PORTION = 200


def main() -> int:
    """Prints a line for each model; 1 if a run was rejected, whose story is printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay", description=__doc__)
    parser.add_argument("--runs", type=int, default=600, help="of each model")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--plant", default="", help="a bug of tests/sim/plants.h")
    options = parser.parse_args()
    program, rng = build(), random.Random(options.seed)
    print(f"seed {options.seed}: decides what is run, not how the threads meet")
    for model in MODELS:
        begun, events_seen = time.perf_counter(), 0
        for first in range(0, options.runs, PORTION):
            tasks = draw(model, rng, min(PORTION, options.runs - first))
            recorded = record(program, tasks, options.plant)
            for i, (task, events) in enumerate(zip(tasks, recorded, strict=True), first + 1):
                events_seen += len(events)
                if (refused := replay(task, events)) is not None:
                    print(f"{model.name}: run {i} is rejected: {task.line()}{refused.text()}")
                    return 1
        took = f"{events_seen} events, {time.perf_counter() - begun:.1f} s"
        print(f"{model.name:16} {options.runs} runs, {took}: allowed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
