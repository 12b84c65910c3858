"""Answers as a table for people and as JSON for programs."""

from __future__ import annotations

from dataclasses import asdict

from bench.harness import BUSY, Answer, Measured, Row, Spread, cost


def figure(value: float) -> str:
    """Three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(value: Spread) -> str:
    same = value.low == value.high
    return "" if same else f"{figure(value.low)} to {figure(value.high)}"


def verdict(row: Row) -> str:
    return {True: "met", False: "NOT MET", None: ""}[row.met]


def table(head: tuple[str, ...], lines: list[tuple[str, ...]]) -> list[str]:
    """Columns as wide as they need; the first to the left, the others to the right."""
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    rule = tuple("─" * width for width in widths)
    return [
        "  ".join(
            text.ljust(width) if i == 0 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in [head, rule, *lines]
    ]


def case_line(name: str, case: Measured) -> tuple[str, ...]:
    if case.error is not None:
        return (name, "", "", "", case.error)
    ns = cost(case)
    return (name, case.layout, figure(ns.median), spread(ns), f"{case.cores:.2f}")


def row_line(row: Row) -> tuple[str, ...]:
    value = "" if row.value is None else f"{figure(row.value.median)} {row.unit}".rstrip()
    around = "" if row.value is None else spread(row.value)
    by_cpu = "" if row.by_cpu is None else f"{figure(row.by_cpu.median)} {row.unit}"
    return (row.title, value, around, by_cpu, row.target, verdict(row))


def as_text(name: str, machine: dict[str, object], answer: Answer) -> str:
    lines = [f"{name}: {machine['python']} on {machine['processor']}, {machine['cores']} cores", ""]
    if answer.cases:
        head = ("case", "layout", "ns each", "quartiles", "cores used")
        lines += table(head, [case_line(name, case) for name, case in answer.cases.items()])
        lines.append("")
    heads = ("what", "measured", "quartiles", "by cpu time", "target", "")
    lines += table(heads, [row_line(row) for row in answer.rows])
    return "\n".join([*lines, *notes(answer)])


def notes(answer: Answer) -> list[str]:
    """What to know about the rows; a busy machine is told in one line."""
    shown = {case.error for case in answer.cases.values()}
    noted = dict.fromkeys(
        f"{row.title}: {row.note}" for row in answer.rows if row.note and row.note not in shown
    )
    starved = [line for line in noted if BUSY in line]
    if len(starved) > 2:
        words = f"{BUSY} in {len(starved)} rows: see the cores used, and the ratios by cpu time"
        noted = dict.fromkeys([*(line for line in noted if line not in starved), words])
    return ["", *noted] if noted else []


def as_data(
    name: str, machine: dict[str, object], effort: object, answer: Answer
) -> dict[str, object]:
    """The answer as JSON can hold it."""
    return {
        "question": name,
        "machine": machine,
        "effort": effort,
        "cases": {name: case_data(case) for name, case in answer.cases.items()},
        "rows": [asdict(row) for row in answer.rows],
        "series": [asdict(series) for series in answer.series],
    }


def case_data(case: Measured) -> dict[str, object]:
    if case.error is not None:
        return {"layout": case.layout, "error": case.error}
    return {
        "layout": case.layout,
        "participants": case.participants,
        "ns": asdict(cost(case)),
        "cpu_ns": asdict(Spread.of(one.cpu_ns for one in case.timings)),
        "cores_used": round(case.cores, 3),
        "starved": case.starved,
        "rounds": len(case.timings),
    }
