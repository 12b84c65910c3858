"""Draws the pictures of the documentation: `python -m tests.dashboard.pictures` in the root."""

import asyncio
import math
import re
from dataclasses import replace
from pathlib import Path

from stmpy.dashboard._app import Dashboard
from stmpy.statistics import Stats
from tests.dashboard.scene import scene

DOCS = Path(__file__).parent.parent.parent / "docs"
PICTURES = [
    ("top-80x24", (80, 24), []),
    ("top-160x48", (160, 48), []),
    ("top-details", (100, 30), ["2", "d"]),
]


class Waves:
    """The made-up store with a storm of conflicts half a minute ago."""

    def __init__(self) -> None:
        self.second = 0
        self.more = 0.0
        self.lost = 0.0

    def read(self) -> Stats:
        self.second += 1
        stormy = 34 < self.second < 43
        self.more += 3000 * math.sin(self.second / 9) + 700 * math.sin(self.second * 1.7)
        self.lost += 250 + 150 * math.sin(self.second / 6) + (1500 if stormy else 0)
        made = scene(100.0 + self.second)
        pay, *others = made.blocks
        pay = replace(pay, wasted_ns=pay.wasted_ns + round(self.lost * 160_000))
        return replace(
            made,
            commits=made.commits + 100_000 + round(self.more),
            conflicts=made.conflicts + round(self.lost),
            blocks=(pay, *others),
        )


async def draw(name: str, size: tuple[int, int], keys: list[str]) -> None:
    app = Dashboard(Waves())
    async with app.run_test(size=size) as pilot:
        for _ in range(62):
            app.tick()
        await pilot.press(*keys)
        await pilot.pause()
        drawn = app.export_screenshot(title=f"stmpy top {app.timeline.latest.process}")
    # The fonts of the reader will do: nothing is to be fetched.
    drawn = re.sub(r"@font-face\s*{[^}]*}", "", drawn)
    (DOCS / f"{name}.svg").write_text(drawn)


if __name__ == "__main__":
    for picture in PICTURES:
        asyncio.run(draw(*picture))
