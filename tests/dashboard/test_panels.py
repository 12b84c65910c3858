"""Tables: which columns fit, in which order the rows come, and what they say."""

from dataclasses import replace

import pytest

from stmpy.dashboard._head import head_lines
from stmpy.dashboard._once import once
from stmpy.dashboard._panels import ALL, BLOCKS, KEYS, PAIRS, THREADS, WAITERS
from stmpy.dashboard._rows import attempts_label, count_rows
from stmpy.dashboard._table import GAP, Panel, arranged, chosen, head, line, spaced
from stmpy.dashboard._text import cells
from stmpy.dashboard._timeline import Timeline
from stmpy.statistics import Pair, Thread, difference
from tests.dashboard.scene import FEE, PAY, TAKE, scene
from tests.seeing.made_up import block, histogram, stats

TOTAL, NOW = scene(103), difference(scene(103), scene(100))


def texts(panel: Panel, width: int, sort: int | None = None) -> list[str]:
    columns = chosen(panel.columns, width)
    rows = arranged(panel.rows(TOTAL, NOW), panel, panel.sort if sort is None else sort)
    return ["".join(text for text, _ in spaced(line(columns, row))) for row in rows]


@pytest.mark.parametrize("panel", ALL, ids=lambda panel: panel.name)
@pytest.mark.parametrize("width", [1, 20, 40, 76, 120, 300])
def test_rows_fill_the_width_and_go_no_further(panel: Panel, width: int) -> None:
    columns = chosen(panel.columns, width)
    taken = sum(w + GAP for _, w in columns) - GAP
    assert taken == width if width >= 40 else taken <= width
    titles = "".join(text for text, _ in spaced(head(columns, None, False)))
    assert {cells(text) for text in [titles, *texts(panel, width)]} == {taken}


def test_the_least_important_columns_go_first() -> None:
    names = [column.title for column, _ in chosen(BLOCKS.columns, 76)]
    assert names == ["block", "commits/s", "lost/s", "lost", "wasted", "wasted%", "p99"]
    assert [column.title for column, _ in chosen(BLOCKS.columns, 30)] == ["block", "commits/s"]


def test_who_beats_whom_over_which_key_at_what_cost() -> None:
    row = arranged(PAIRS.rows(TOTAL, NOW), PAIRS, PAIRS.sort)[0]
    assert (row.loser, row.winner, row.key) == (FEE, PAY, "accounts['house']")
    assert (row.count, row.rate) == (95 * 103, 95)
    assert row.cost_ns == 95 * 103 * 262144


def test_a_block_that_beats_itself_is_said_to() -> None:
    assert any("itself" in text for text in texts(PAIRS, 120))
    assert any(f"{TAKE} ▸ itself" in text for text in texts(KEYS, 120))


def test_sorting() -> None:
    rows = PAIRS.rows(TOTAL, NOW)
    by_name = [row.loser for row in arranged(rows, PAIRS, 0)]
    assert by_name == sorted(by_name)
    by_count = [row.count for row in arranged(rows, PAIRS, 3)]
    assert by_count == sorted(by_count, reverse=True)
    assert [r.count for r in arranged(rows, PAIRS, 3, reverse=True)] == by_count[::-1]
    assert arranged(rows, PAIRS, None, reverse=True) == list(rows)[::-1]


def test_filtering_looks_at_every_name_of_a_row() -> None:
    rows = PAIRS.rows(TOTAL, NOW)
    assert [r.key for r in arranged(rows, PAIRS, 3, wanted="PAID")] == ["totals['paid']"]
    assert len(arranged(rows, PAIRS, 3, wanted="fees")) == 2
    assert arranged(rows, PAIRS, 3, wanted="nobody") == []


def test_the_title_of_the_sorted_column_has_an_arrow() -> None:
    columns = chosen(PAIRS.columns, 76)
    times, loser = PAIRS.columns[3], PAIRS.columns[0]
    assert any(text.strip() == "times▼" for text, _ in head(columns, times, False))
    assert any(text.strip() == "times▲" for text, _ in head(columns, times, True))
    assert any(text.strip() == "loser▲" for text, _ in head(columns, loser, False))


def test_threads_say_what_they_wait_for() -> None:
    waiting = {row.thread: row.waits_for for row in THREADS.rows(TOTAL, NOW)}
    assert waiting[4722] == "thread 4721, which commits"
    assert waiting[4723] == "orders['new'] and 1 more"
    assert [row.thread for row in WAITERS.rows(TOTAL, NOW)] == [4723, 4724]


def test_attempts_reasons_and_times_are_shares_of_their_kind() -> None:
    rows = count_rows(TOTAL, NOW)
    for kind in ("attempts", "undone", "block took", "commit took"):
        assert sum(row.share for row in rows if row.kind == kind) == pytest.approx(1)
    assert [attempts_label(1), attempts_label(2), attempts_label(4)] == ["1", "2–3", "4–7"]


def test_an_empty_store_has_no_rows_and_no_crash() -> None:
    empty = stats()
    for panel in ALL:
        assert not panel.rows(empty, empty)
    text = "\n".join(once(Timeline().add(empty), 80))
    assert "Nobody loses: no block had to run again." in text
    assert "hot keys" not in text


@pytest.mark.parametrize("width", [20, 40, 80, 100, 160, 240])
@pytest.mark.parametrize("tall", [0, 1, 2])
def test_the_head_fits_any_width(width: int, tall: int) -> None:
    timeline = Timeline().add(scene(100)).add(scene(101))
    lines = head_lines(timeline, width, tall, [("● live", "status")])
    assert len(lines) == 2 + 4 * max(1, tall)
    assert {sum(cells(text) for text, _ in cells_) for cells_ in lines} == {width}


def verdict(*records: object, width: int = 200) -> str:
    timeline = Timeline()
    for record in records:
        timeline = timeline.add(record)  # type: ignore[arg-type]
    return "".join(text for text, _ in head_lines(timeline, width, 1, [])[-1]).strip()


def test_one_sentence_says_who_costs_most() -> None:
    said = verdict(scene(100), scene(101))
    assert said.startswith(f"{FEE} loses to pay over accounts['house'] 95/s: ")
    assert said.endswith("% of all block time")


def test_the_sentence_keeps_its_figures_where_it_is_too_long() -> None:
    said = verdict(scene(100), scene(101), width=70)
    assert "95/s: " in said
    assert "…" in said


def test_the_sentence_tells_of_the_past_when_nothing_is_lost_now() -> None:
    pair = Pair("a", "b", "k", 1, 40, 4000)
    before = stats(block("b", commits=100, lost=40, wasted_ns=4000), seconds=9, pairs=(pair,))
    said = verdict(before, replace(before, seconds=10.0))
    assert said == "So far b loses to a over k[1] 40 times: 100 % of all block time"


def test_a_store_that_hardly_loses_is_called_calm() -> None:
    pair = Pair("a", "a", "k", 1, 4, 400)
    calm = stats(
        block("a", commits=10_000, lost=4, times=histogram(b7=100)), seconds=9, pairs=(pair,)
    )
    assert verdict(calm).startswith("All is calm: <0.1 % lost.")


def test_few_losses_that_cost_much_are_not_called_calm() -> None:
    pair = Pair("a", "a", "k", 1, 4, 4_000_000)
    few = stats(
        block("a", commits=10_000, lost=4, wasted_ns=4_000_000, times=histogram(b7=100)),
        seconds=9,
        pairs=(pair,),
    )
    assert verdict(few).startswith("Few lose, but it costs: <0.1 % lost. a loses to itself")


def test_who_hangs_is_named_when_no_block_ends() -> None:
    threads = (
        Thread(1, 0, 10, "parked", "waits", 1, 90_000_000_000),
        Thread(1, 0, 11, "in block", "f (folder/file.py:7)", 1, 40_000_000_000),
        Thread(1, 0, 12, "waiting for lock", "g", 1, 30_000_000_000),
    )
    before = stats(block("f", commits=5), seconds=9, threads=threads)
    said = verdict(before, replace(before, seconds=10.0))
    assert said == "Nothing ends: f (file.py:7) has been in block for 40 s"
    goes_on = stats(block("f", commits=6), seconds=10, threads=threads)
    assert verdict(before, goes_on) == "Nobody loses: no block had to run again."


def test_one_shot_shows_the_most_important_rows_as_plain_text() -> None:
    text = "\n".join(once(Timeline().add(scene(100)), 100))
    assert "\x1b" not in text
    assert f"{FEE} loses to pay over accounts['house']" in text
    assert "and 34 more" in text
    assert not any(line_.endswith(" ") for line_ in text.splitlines())
