"""The option `--workers` of verbs that let several interpreters work beside one alone."""

import argparse
import os

__all__ = ["add_workers", "check_workers"]


def add_workers(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        default=max(2, min(8, os.process_cpu_count() or 1)),
        help=f"{what} (here %(default)s)",
    )


def check_workers(args: argparse.Namespace) -> None:
    """Ends the command with a usage error unless there are at least two."""
    if args.workers < 2:
        args.fail(f"--workers must be at least 2, not {args.workers}: one is always run beside it")
