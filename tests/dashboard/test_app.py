"""The live view, driven key by key: each does what help says of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.color import Color
from textual.pilot import Pilot
from textual.widgets import Input

from stmpy.dashboard._app import INTERVALS, Dashboard
from stmpy.dashboard._keys import KEYS, MOVES
from stmpy.dashboard._panels import ALL
from stmpy.dashboard._screens import Page
from stmpy.dashboard._widgets import Table
from stmpy.statistics import KeyHeat
from tests.dashboard.scene import FEE, TAKE, FromRecords, Running, hostile, scene
from tests.seeing.made_up import stats

SMALL, LARGE = (80, 24), (160, 48)
HOUR = 3600.0


def drive(
    act: Callable[[Dashboard, Pilot[int]], Awaitable[None]],
    source: Any = None,
    size: tuple[int, int] = SMALL,
) -> Dashboard:
    """Runs the view without a terminal, with an interval so long that only tests make it tick."""
    app = Dashboard(source or Running(), interval=HOUR)

    async def main() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await act(app, pilot)

    asyncio.run(main())
    return app


def screen(app: Dashboard) -> str:
    """What is on the screen, as text."""
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def losers(app: Dashboard) -> list[str]:
    return [row.loser for row in app.active.rows]


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_within_one_screen_who_loses_to_whom_over_what_and_the_cost(size: tuple[int, int]) -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        text = screen(app)
        for words in ("loses to pay over accounts", "of all block time", "commits/s", "who beats"):
            assert words in text

    drive(act, size=size)


def test_a_digit_shows_its_panel() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        for key, panel in enumerate(ALL, 1):
            await pilot.press(str(key))
            assert f"{key} {panel.title}" in screen(app)
            assert [table.panel for table in app.tables if table.display] == [panel]

    drive(act)


def test_where_there_is_room_all_panels_are_shown_and_one_is_active() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("5")
        text = screen(app)
        assert all(f"{i} {panel.title}" in text for i, panel in enumerate(ALL, 1))
        assert [t.panel.name for t in app.tables if t.has_class("active")] == ["threads"]

    drive(act, size=LARGE)


def test_s_sorts_by_the_next_column_and_r_turns_it_round() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("s")
        assert losers(app) == sorted(losers(app))
        assert "loser▲" in screen(app)
        await pilot.press("r")
        assert losers(app) == sorted(losers(app), reverse=True)
        assert "loser▼" in screen(app)
        await pilot.press("s")
        assert "lost to▲" in screen(app)

    drive(act)


def test_slash_filters_and_escape_shows_all_again() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("slash", *"fees")
        assert len(app.active.rows) == 2
        assert TAKE not in screen(app).partition("3 who beats whom")[2]
        await pilot.press("enter", "s")  # The keys are commands again.
        assert app.query_one(Input).value == "fees"
        assert app.active.sort == 0
        await pilot.press("slash", "z")  # Replaces what was there.
        assert "no row mentions 'z'" in screen(app)
        await pilot.press("escape")
        assert len(app.active.rows) == 5

    drive(act)


def test_space_holds_the_picture_and_goes_on() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("space")
        held = app.timeline
        app.tick()
        assert app.timeline is held
        assert "paused" in screen(app)
        await pilot.press("space")
        assert app.timeline.latest.seconds > held.latest.seconds
        assert "live" in screen(app)

    drive(act)


def test_plus_and_minus_change_the_interval() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        for before, key, then in [
            (1.0, "plus", 2.0),
            (1.0, "minus", 0.5),
            (0.7, "minus", 0.5),
            (INTERVALS[0], "minus", INTERVALS[0]),
            (INTERVALS[-1], "plus", INTERVALS[-1]),
        ]:
            app.interval = before
            await pilot.press("z", key)
            assert app.interval == then
            assert f"every {then:g} s" in screen(app)
            assert app.timer is not None
            assert app.timer._interval == then

    drive(act)


def test_z_counts_from_now_on() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("z")
        assert app.active.rows == []
        app.tick()
        row = next(row for row in app.active.rows if row.loser == FEE)
        assert row.count == 95
        await pilot.pause()
        assert "since 1 s" in screen(app)

    drive(act)


def test_d_tells_all_about_the_chosen_row() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("down", "d")
        assert isinstance(app.screen, Page)
        text = screen(app)
        assert "orders[('open', 17)]" in text
        assert "try:" in text
        await pilot.press("escape")
        assert not isinstance(app.screen, Page)

    drive(act)

    async def nothing(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("d")
        assert not isinstance(app.screen, Page)

    drive(nothing, FromRecords([stats()]))


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_h_shows_every_key_and_each_is_bound(size: tuple[int, int]) -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("h")
        text = screen(app)
        bound = set(app._bindings.key_to_bindings)
        for key in (*KEYS, *MOVES):
            assert f"{key.shown:10}{key.help}" in text
            assert set(key.keys.split(",")) <= bound
        await pilot.press("h")
        assert not isinstance(app.screen, Page)

    drive(act, size=size)


def test_q_leaves() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("q")

    assert drive(act).return_value == 0


def test_the_chosen_row_stays_chosen_when_the_order_changes() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("down")
        chosen = app.active.panel.identity(app.active.row)
        await pilot.press("r")
        assert app.active.panel.identity(app.active.row) == chosen
        assert app.active.cursor == 3  # The second of five, from the end.
        await pilot.press("end")
        assert app.active.cursor == 4
        await pilot.press("home", "pagedown")
        assert app.active.cursor == 4

    drive(act)


def test_the_mouse_chooses_sorts_and_changes_panels() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.click("#pairs", offset=(5, 4))
        assert app.active.cursor == 2
        await pilot.click("#pairs", offset=(5, 1))
        assert app.active.sort == 0
        await pilot.click("#tabs", offset=(3, 0))
        await pilot.pause()
        assert app.active.panel.name == "keys"
        await pilot.click("#foot", offset=(3, 0))
        await pilot.pause()
        assert app.active.sort == 2  # It was ordered by column 1.
        await pilot.click("#keys", offset=(5, 3), times=2)
        await pilot.pause()
        assert isinstance(app.screen, Page)

    drive(act)


def test_the_end_of_the_process_is_said_and_the_last_figures_stay() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        app.tick()
        app.tick()
        await pilot.pause()
        text = screen(app)
        assert "gone: process 4711 has ended" in text
        assert "loses to pay" in text
        await pilot.press("1", "s", "z", "d", "q")

    app = drive(act, FromRecords([scene(100), scene(101)]))
    assert app.return_value == 3


def test_a_store_that_was_closed_is_said_to_be() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        assert " closed " in screen(app)

    drive(act, FromRecords([replace(scene(100), closed=True)]))


def test_an_empty_store() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        assert "Nobody loses" in screen(app)
        for key, panel in enumerate(ALL, 1):
            await pilot.press(str(key))
            assert panel.empty in screen(app)

    drive(act, FromRecords([stats()]))


def test_any_size_and_every_change_of_it() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        for width, height in ((20, 5), (1, 1), (119, 60), (120, 36), (300, 90), SMALL):
            await pilot.resize_terminal(width, height)
            app.tick()
            await pilot.pause()
            assert len(screen(app).splitlines()) == height
            assert all(table.display for table in app.tables) == (width >= 120 and height >= 36)

    drive(act, size=LARGE)


def test_ten_thousand_keys_with_hostile_names() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("1")
        assert len(app.active.rows) == 10_000
        for keys in (["end"], ["s"], ["slash", *"999"], ["enter", "d"]):
            await pilot.press(*keys)
            lines = screen(app).split("\n")
            assert len(lines) == 24
            assert all(line.isprintable() for line in lines)
        assert any("999" in line for line in lines)

    drive(act, FromRecords([hostile()]))


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        strips = app.screen._compositor.render_strips()
        (no_colour,) = app.get_line_filters()
        drawn = [no_colour.apply(list(strip), Color(0, 0, 0)) for strip in strips]
        colours = {
            colour
            for strip in drawn
            for _, style, _ in strip
            if style
            for colour in (style.color, style.bgcolor)
            if colour
        }
        assert all(colour.is_default for colour in colours)

    monkeypatch.setenv("NO_COLOR", "1")
    drive(act)


def test_lines_have_exactly_the_width_of_their_place() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        for table in app.query(Table):
            for y in range(table.size.height):
                assert table.render_line(y).cell_length == table.size.width

    drive(act, FromRecords([hostile()]), LARGE)


def test_a_name_that_looks_like_markup_is_shown_as_it_is() -> None:
    async def act(app: Dashboard, pilot: Pilot[int]) -> None:
        await pilot.press("1", "d")
        assert "[bold]x[/bold] [@click=app.quit]" in screen(app)

    keys = (KeyHeat("t", "[bold]x[/bold] [@click=app.quit]y[/]", 5),)
    drive(act, FromRecords([replace(scene(100), keys=keys)]))
