"""The report: one page of HTML that needs nothing else, made of a recording."""

from collections.abc import Callable, Iterable
from html import escape

from stmpy.dashboard._advice import Advice, advice
from stmpy.dashboard._charts import Heat, Series, heat_table, line_chart, name
from stmpy.dashboard._panels import ATTEMPTS, BLOCKS, PAIRS
from stmpy.dashboard._record import Recording
from stmpy.dashboard._rows import CountRow
from stmpy.dashboard._style import STYLE
from stmpy.dashboard._summary import verdict
from stmpy.dashboard._table import Panel, arranged
from stmpy.dashboard._text import block_title, number, percent, size, span, title
from stmpy.dashboard._timeline import Timeline
from stmpy.statistics import Rates, Stats, rates
from stmpy.statistics._text import printable

HEAT_ROWS, HEAT_COLUMNS, PAIR_ROWS = 14, 10, 20


def page(recording: Recording) -> str:
    """The whole page. Nothing in it refers to anything outside of it."""
    whole = recording.whole
    parts = [
        _head(recording, whole),
        _tiles(whole),
        _section("What to try next", _advice(advice(whole))),
        _section("Over time", _plots(recording)),
        _section("Which block loses over which key", _heat(heat(whole))),
        _section("Who beats whom", _table(PAIRS, whole, PAIR_ROWS)),
        _section("Blocks", _table(BLOCKS, whole, PAIR_ROWS)),
        _section("Attempts, reasons and times", _counts(whole)),
        _foot(recording),
    ]
    heading = escape(f"stmpy report: {printable(whole.store) or whole.process}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{heading}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _head(recording: Recording, whole: Stats) -> str:
    said = "".join(
        f'<span class="{tone.partition("-")[0]}">'
        + (name(text) if tone in ("winner", "loser", "key") else escape(text))
        + "</span>"
        for text, tone in verdict(Timeline().add(whole))
    )
    return (
        f"<h1>{name(printable(whole.store) or 'A store without a name')}</h1>"
        f'<p class="soft">{escape(printable(recording.what))} · process {whole.process} ·'
        f" {escape(recording.began)} · {span(whole.seconds * 1e9)},"
        f" {len(recording.records)} records</p>"
        f'<p class="verdict">{said}</p>'
    )


def _tiles(whole: Stats) -> str:
    speed = rates(whole)
    finished = whole.commits + whole.read_only_commits
    tiles = [
        ("commits", number(finished), ""),
        ("commits/s", number(speed.commits + speed.read_only_commits), "good"),
        ("conflicts", number(whole.conflicts), ""),
        ("of attempts lost", percent(speed.conflict_share), "loser"),
        ("of time wasted", percent(speed.wasted_share), "cost"),
        ("block, half", span(speed.p50_ns), ""),
        ("block, 99 %", span(speed.p99_ns), ""),
        (f"of {size(whole.memory.max_bytes)}", size(whole.memory.used_bytes), ""),
    ]
    if whole.durability is not None:
        disk = whole.durability
        tiles += [
            (f"behind on disk, {disk.state}", number(disk.lag), "" if disk.writable else "cost"),
            ("sync, 99 %", span(1000 * disk.sync_micros.quantile(0.99)), ""),
        ]
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile"><b class="{tone}">{value}</b><span>{text}</span></div>'
            for text, value, tone in tiles
        )
        + "</div>"
    )


def _section(heading: str, body: str) -> str:
    return f"<section><h2>{heading}</h2>{body}</section>"


def _advice(found: Iterable[Advice]) -> str:
    items = [
        f'<li class="card"><h3>{escape(one.finding)}</h3>'
        f'<p class="soft">{escape(one.evidence)}</p><p class="try">{escape(one.remedy)}</p></li>'
        for one in found
    ]
    if not items:
        return '<p class="card">Nothing: too little is lost, and nothing runs full.</p>'
    return f'<ol class="advice">{"".join(items)}</ol>'


def _plots(recording: Recording) -> str:
    steps = [(at, step, rates(step)) for at, step in recording.steps]

    def course(value: Callable[[Stats, Rates], float]) -> list[tuple[float, float]]:
        return [(at, value(step, speed)) for at, step, speed in steps]

    commits = course(lambda _, r: r.commits + r.read_only_commits)
    lost, wasted = course(lambda _, r: r.conflict_share), course(lambda _, r: r.wasted_share)
    half, most = course(lambda _, r: r.p50_ns), course(lambda _, r: r.p99_ns)
    used = course(lambda s, _: s.memory.used_bytes)
    history = course(lambda s, _: s.memory.history_bytes)
    oldest = course(lambda s, _: s.oldest.age_ns if s.oldest else 0)
    conflicts = Series("conflicts", "t-loser", course(lambda _, r: r.conflicts))
    plots: list[tuple[str, list[Series], Callable[[float], str], str]] = [
        ("Commits a second", [Series("commits", "t-good", commits)], number, "plain"),
        ("Conflicts a second", [conflicts], number, "plain"),
        (
            "Share lost",
            [Series("attempts lost", "t-loser", lost), Series("time wasted", "t-cost", wasted)],
            percent,
            "plain",
        ),
        (
            "Time of a block",
            [Series("half", "t-winner", half), Series("99 %", "t-cost", most)],
            span,
            "log",
        ),
        (
            "Memory",
            [Series("used", "t-winner", used), Series("history", "t-loser", history)],
            size,
            "binary",
        ),
        ("Age of the oldest snapshot", [Series("age", "t-winner", oldest)], span, "log"),
    ]
    if recording.whole.durability is not None:
        lag = course(lambda s, _: s.durability.lag if s.durability else 0)
        behind = [Series("behind", "t-cost", lag)]
        plots.append(("Commits that are not on disk yet", behind, number, "plain"))
    cards = []
    for heading, series, say, kind in plots:
        legend = "".join(f'<i class="{one.tone}"></i>{one.name}' for one in series)
        cards.append(
            f'<div class="card"><h3>{heading}<span class="legend">{legend}</span></h3>'
            f"{line_chart(heading, series, say, kind)}</div>"
        )
    return f'<div class="grid2">{"".join(cards)}</div>'


def heat(stats: Stats) -> Heat:
    """How often which block lost over which key: the hottest keys and the blocks that lose most."""
    counts: dict[tuple[str, str], int] = {}
    keys: dict[str, int] = {}
    blocks: dict[str, int] = {}
    for pair in stats.pairs:
        key, loser = title(pair.variable, pair.key), block_title(pair.loser)
        counts[key, loser] = counts.get((key, loser), 0) + pair.count
        keys[key] = keys.get(key, 0) + pair.count
        blocks[loser] = blocks.get(loser, 0) + pair.count
    rows = tuple(sorted(keys, key=lambda key: -keys[key])[:HEAT_ROWS])
    columns = tuple(sorted(blocks, key=lambda block: -blocks[block])[:HEAT_COLUMNS])
    return Heat(rows, columns, tuple(tuple(counts.get((r, c), 0) for c in columns) for r in rows))


def _heat(found: Heat) -> str:
    if not found.rows:
        return '<p class="card">No block lost over a key.</p>'
    return (
        f'<div class="card">{heat_table(found, number)}'
        '<p class="note">Rows are keys, columns the blocks that lost over them.</p></div>'
    )


def _table(panel: Panel, stats: Stats, most: int) -> str:
    """The rows of a panel as a table of the page, in the order that the panel has at first."""
    rows = arranged(panel.rows(stats, stats), panel, panel.sort)
    if not rows:
        return f'<p class="card">{escape(panel.empty)}</p>'
    columns = [column for column in panel.columns if column.show]
    head = "".join(
        f'<th class="{"text" if column.align == "<" else ""}">{escape(column.title)}</th>'
        for column in columns
    )
    lines = []
    for row in rows[:most]:
        cells = []
        for column in columns:
            text = column.show(row) if column.show else ""
            kind = f"text {column.tone}" if column.align == "<" else column.tone
            shown = name(text) if column.align == "<" else escape(text)
            cells.append(f'<td class="{kind}" title="{escape(text)}">{shown}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    more = f'<p class="note">and {len(rows) - most:,} more</p>' if len(rows) > most else ""
    return f'<div class="card"><table><tr>{head}</tr>{"".join(lines)}</table>{more}</div>'


def _counts(stats: Stats) -> str:
    """The histograms, each in a card of its own."""
    kinds: dict[str, list[CountRow]] = {}
    for row in ATTEMPTS.rows(stats, stats):
        kinds.setdefault(row.kind, []).append(row)
    cards = []
    for kind, rows in kinds.items():
        lines = "".join(
            f'<tr><td class="text">{escape(row.label)}</td><td>{number(row.count)}</td>'
            f"<td>{percent(row.share)}</td>"
            f'<td class="text"><span class="bar" style="width:{max(1.0, 160 * row.share):.0f}px">'
            "</span></td></tr>"
            for row in rows
        )
        cards.append(f'<div class="card"><h3>{escape(kind)}</h3><table>{lines}</table></div>')
    return f'<div class="grid2">{"".join(cards)}</div>' if cards else ""


def _foot(recording: Recording) -> str:
    ended = f" It ended because {escape(printable(recording.ended))}." if recording.ended else ""
    return (
        '<p class="note" style="margin-top:30px">Counts are of the time that was recorded.'
        " Lost are attempts that lost a conflict and ran again; wasted is the time of those"
        " attempts, as a share of the time of all blocks. Times are exact within a factor of two,"
        f" and taken of one block in sixteen.{ended}</p>"
    )
