"""List the stores of running processes that you may see."""

import argparse
import json
from typing import Any

from stmpy.cli._shared import FINE, reported
from stmpy.errors import StmError
from stmpy.statistics import Attached, Found, StoreNotFound, find

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    return reported(lambda: show(args.json))


def show(as_json: bool) -> int:
    rows = [described(found) for found in find()]
    if as_json:
        print(json.dumps(rows))
    if not rows:
        raise StoreNotFound("no store of a running process that may be seen")
    if not as_json:
        print(f"{'STORE':14} {'NAME':16} {'STATE':8} {'COMMITS':>12} {'THREADS':>7}  COMMAND")
        for row in rows:
            name = "(path)" if row["path"] else row["name"] or "(unnamed)"
            counts = f"{row['commits'] or 0:>12,} {row['threads'] or 0:>7}"
            print(f"{row['store']:14} {name:16} {row['state']:8} {counts}  {row['command']}")
            if row["path"]:
                print(f"{'':14} on disk in {row['path']}, kept by process {row['keeper']}")
    return FINE


def described(found: Found) -> dict[str, Any]:
    row: dict[str, Any] = {
        "store": found.target,
        "process": found.process,
        "name": found.name,
        "state": "closed" if found.closed else "open",
        "commits": None,
        "threads": None,
        "command": found.command,
        "path": found.path or None,
        "keeper": found.keeper or None,
    }
    if found.name is None:
        return row | {"state": "other"}
    try:
        with Attached(found) as attached:
            stats = attached.read()
    except StmError:
        return row | {"state": "closed" if found.closed else "gone"}
    return row | {
        "commits": stats.commits + stats.read_only_commits,
        "threads": len(stats.threads),
    }
