"""Figures and names as the dashboard writes them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stmpy.dashboard._text import bar, block_title, cells, fit, number, percent, size, span, title
from stmpy.statistics._text import printable


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (7, "7"),
        (0.4, "0.4"),
        (0.01, "<0.1"),
        (9.96, "10"),
        (999, "999"),
        (999.6, "1.00k"),
        (1234, "1.23k"),
        (45_600, "45.6k"),
        (999_600, "1.00M"),
        (2e9, "2.00G"),
        (3e12, "3.00T"),
    ],
)
def test_number(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "-"),
        (850, "850 ns"),
        (999.9, "1.0 µs"),
        (1200, "1.2 µs"),
        (12_000, "12 µs"),
        (999_900, "1.0 ms"),
        (4.2e9, "4.2 s"),
        (59e9, "59 s"),
        (180e9, "3 min"),
        (7.2e12, "2 h"),
    ],
)
def test_span(ns: float, text: str) -> None:
    assert span(ns) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (512, "512 B"), (1536, "1.5 KiB"), (64 << 20, "64 MiB"), (5 << 40, "5.0 TiB")],
)
def test_size(count: int, text: str) -> None:
    assert size(count) == text


def test_percent() -> None:
    shares = [0, 0.0001, 0.0042, 0.0995, 0.12, 1]
    assert [percent(x) for x in shares] == ["0 %", "<0.1 %", "0.4 %", "10 %", "12 %", "100 %"]


def test_a_bar_never_hides_that_there_is_something() -> None:
    assert bar(0, 4) == "    "
    assert bar(0.0001, 4) == "▏   "
    assert bar(0.5, 4) == "██  "
    assert bar(1, 4) == bar(7, 4) == "████"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a label", "a label"),
        ("f (folder/file.py:7)", "f (file.py:7)"),
        ("main.<locals>.C.f (file.py:7)", "C.f (file.py:7)"),
        ("TSet.add (stmpy)", "TSet.add (stmpy)"),
        ("x\n (", "x\\n ("),
    ],
)
def test_blocks_lose_what_does_not_tell_them_apart(name: str, text: str) -> None:
    assert block_title(name) == text


def test_keys_are_written_as_a_program_would() -> None:
    assert title("hits", "a") == "hits['a']"
    assert title("hits", ("a", 1)) == "hits[('a', 1)]"
    assert title("best", None) == "best"


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J", "a\nb", "\x07", "\x9b31m", "\u202eabc", "\u2066", "\x00", "\ud800", "\x7f"],
)
def test_nothing_in_a_name_steers_the_terminal(hostile: str) -> None:
    for text in (
        printable(hostile),
        title(hostile, hostile),
        title("t", hostile.encode("utf8", "replace")),
    ):
        assert text.isprintable()
        assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in text)
    assert printable(hostile) != hostile


@given(st.text(), st.integers(1, 40), st.sampled_from("<>"))
def test_a_cell_has_its_width_whatever_it_holds(text: str, width: int, align: str) -> None:
    assert cells(fit(printable(text), width, align)) == width


def test_cut_text_says_so() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("日本語", 4) == "日… "
    assert fit("abc", 5, ">") == "  abc"
    assert fit("abc", 0) == ""
