"""Recording a store, and the page that is made of it."""

import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmpy.dashboard._charts import Scale, Series, binary_steps, decades, line_chart, steps
from stmpy.dashboard._page import heat, page
from stmpy.dashboard._record import Recording, record
from stmpy.dashboard._text import number, span
from stmpy.statistics import Pair
from tests.dashboard.scene import FEE, PAY, FromRecords, Running, hostile, scene
from tests.seeing.made_up import block, stats

RECORDING = Recording("python bank.py", "2026-11-24 15:50", tuple(map(scene, range(100, 120))))
VOID = {"meta"}


class Reader(HTMLParser):
    """What a browser would find in the page; raises where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.text: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_has_all_that_was_promised() -> None:
    found = Reader(page(RECORDING))
    text = " ".join(found.text)
    for words in (
        "What to try next",
        "Commits a second",
        "Conflicts a second",
        "Time of a block",
        "Commits that are not on disk yet",
        "behind on disk, running",
        "Which block loses over which key",
        "Who beats whom",
        "accounts['house']",
        f"{FEE} loses to {PAY} over accounts['house']",
        "totals.add('paid', n)",
        "python bank.py",
    ):
        assert words in text
    assert found.tags["svg"] == 7
    assert found.tags["rect"] == 7 * 19  # One for each step in each plot.


@pytest.mark.parametrize("of", [RECORDING, Recording("x", "y", (stats(), stats(seconds=11.0)))])
def test_nothing_on_the_page_comes_from_elsewhere_or_runs(of: Recording) -> None:
    text = page(of)
    found = Reader(text)
    assert not found.tags.keys() & {"script", "link", "img", "iframe", "object", "embed", "base"}
    assert not re.search(r"https?:|//|@import|url\(", text)
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in found.attributes


def test_light_and_dark() -> None:
    text = page(RECORDING)
    assert "prefers-color-scheme: dark" in text
    day, _, night = text.partition("@media (prefers-color-scheme: dark)")
    names = re.findall(r"(--[a-z-]+): #", night.partition("} }")[0])
    assert names
    assert names == re.findall(r"(--[a-z-]+): #", day)


def test_hostile_names_stay_names() -> None:
    evil = "</title><script>alert(1)</script>\u202e\x1b[2J"
    made = hostile()
    pairs = (Pair(evil, evil, evil, evil, 90_000, 10**9),)
    records = (
        stats(seconds=1.0),
        stats(block(evil, commits=100, lost=90_000), seconds=99.0, keys=made.keys, pairs=pairs),
    )
    text = page(Recording(evil, "now", records, ended=evil))
    found = Reader(text)
    assert "script" not in found.tags
    assert all(char.isprintable() or char == "\n" for char in text)
    assert len(text) < 200_000


def test_an_empty_recording_says_that_nothing_happened() -> None:
    text = page(Recording("x", "y", (stats(), stats(seconds=11.0))))
    assert "Nobody loses" in text
    assert "Nothing: too little is lost" in text
    assert "No block lost over a key." in text


def test_the_heat_map_adds_up_who_lost_over_what() -> None:
    pairs = (
        Pair("a", "b", "k", 1, 5, 0),
        Pair("c", "b", "k", 1, 7, 0),
        Pair("a", "a", "k", 2, 3, 0),
        *(Pair("a", f"z{i}", "k", 100 + i, 1, 0) for i in range(50)),
    )
    found = heat(stats(pairs=pairs))
    assert (found.rows[:2], found.columns[:2]) == (("k[1]", "k[2]"), ("b", "a"))
    assert [row[:2] for row in found.counts[:2]] == [(12, 0), (0, 3)]
    assert (len(found.rows), len(found.columns)) == (14, 10)


def test_recording_reads_at_the_interval_and_once_more() -> None:
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) < 5

    records, ended = record(Running(), wait, interval=0.5)
    assert waited == [0.5] * 5
    assert len(records) == 6
    assert ended == ""


def test_a_long_recording_is_thinned_out_and_keeps_its_ends() -> None:
    source, waited = Running(seconds=0.0), []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        return len(waited) < 1000

    records, _ = record(source, wait, interval=1.0, most=50)
    assert 25 <= len(records) <= 51
    assert records[0].seconds == 1.0
    assert records[-1].seconds == source.seconds
    assert waited[0] == 1.0
    assert waited[-1] >= 16.0
    assert [r.seconds for r in records] == sorted({r.seconds for r in records})


def test_the_end_of_the_process_ends_the_recording() -> None:
    records, ended = record(FromRecords([scene(1), scene(2), scene(3)]), lambda _: True)
    assert [r.seconds for r in records] == [1, 2, 3]
    assert ended == "process 4711 has ended"
    assert ended in page(Recording("x", "y", tuple(records), ended))


@given(st.floats(1e-3, 1e12))
def test_steps_are_few_and_reach_the_top(high: float) -> None:
    for marks in (steps(high), binary_steps(high)):
        assert marks[0] == 0
        assert 2 <= len(marks) <= 6
        assert marks[-1] >= high * 0.999


def test_steps_are_round() -> None:
    assert steps(17) == [0, 5, 10, 15, 20]
    assert steps(0) == [0, 1]
    assert binary_steps(38 << 20) == [n << 20 for n in (0, 10, 20, 30, 40)]
    assert decades(15, 900) == [10, 100, 1000]
    assert decades(100, 100) == [100, 1000]


def test_a_scale_puts_values_in_their_place() -> None:
    assert Scale(0, 10, 100, 0).at(2.5) == 75
    log = Scale(10, 1000, 0, 100, log=True)
    assert [log.at(10), log.at(100), log.at(1000), log.at(0)] == pytest.approx([0, 50, 100, 0])


def test_a_line_goes_where_its_values_are() -> None:
    svg = line_chart("t", [Series("s", "t-good", [(0.0, 0.0), (5.0, 10.0)])], number)
    assert 'd="M58.0 164.0L696.0 12.0"' in svg
    assert "5.0 s: s 10" in svg
    Reader(svg)
    Reader(line_chart("t", [Series("s", "t-good", [])], number))
    Reader(line_chart("t", [Series("s", "t-good", [(1.0, 0.0)])], span, "log"))
