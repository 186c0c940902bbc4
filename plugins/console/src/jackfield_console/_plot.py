"""Plots as SVG, made on the server: bars by day, stacked by group. The table beside a plot has the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import attrs

from ._usage import Period

__all__ = ["MOST_SERIES", "Bar", "Plot", "make_plot"]

MOST_SERIES: Final = 5
"""Groups that a plot shows by themselves."""

_WIDTH: Final = 960
_HEIGHT: Final = 240
_LEFT: Final = 70
_BOTTOM: Final = 26
_TOP: Final = 12


@attrs.frozen
class Bar:
    """A part of a bar.

    Attributes:
        x: From the left.
        y: From the top.
        width: How wide.
        height: How high.
        series: The number of its series, from 1; 0 is the rest.
        title: What it stands for.
    """

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


@attrs.frozen(kw_only=True)
class Plot:
    """A plot.

    Attributes:
        width: Of the drawing.
        height: Of the drawing.
        left: Where the bars begin.
        floor: Where they stand.
        bars: All parts.
        series: The names of the series by their number.
        lines: Heights and labels of the lines behind.
        labels: Places and words below.
        summary: What the plot shows, in a sentence.
    """

    width: int
    height: int
    left: int
    floor: float
    bars: Sequence[Bar]
    series: Sequence[tuple[int, str]]
    lines: Sequence[tuple[float, str]]
    labels: Sequence[tuple[float, str]]
    summary: str


def make_plot(
    values: Mapping[tuple[date, str | None], Decimal], period: Period, names: Sequence[str], unit: str
) -> Plot | None:
    """Draw values by day and group; None if there is nothing to draw.

    Args:
        values: By day and group; None is all other groups.
        period: The days; a long period has a bar for each month.
        names: The groups, the largest first.
        unit: What is counted.
    """
    series: list[tuple[int, str | None]] = [*enumerate(names, 1), (0, None)]
    columns = period.steps
    highest = max(sum(values.get((step, name), Decimal(0)) for _, name in series) for step in columns)
    if highest <= 0:
        return None
    top = _round_up(Decimal(highest))
    floor = _HEIGHT - _BOTTOM
    scale = (floor - _TOP) / float(top)
    pitch = (_WIDTH - _LEFT) / len(columns)
    bars: list[Bar] = []
    for number, step in enumerate(columns):
        y = float(floor)
        x = round(_LEFT + number * pitch + pitch * 0.1, 1)
        for of, name in series:
            value = values.get((step, name), Decimal(0))
            if value <= 0:
                continue
            height = float(value) * scale
            y -= height
            title = f"{period.label(step)}, {_label(name)}: {_short(value)} {unit}"
            bars.append(Bar(x, round(y, 1), round(pitch * 0.8, 1), round(height, 1), of, title))
    drawn = {bar.series for bar in bars}
    return Plot(
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        floor=floor,
        bars=bars,
        series=[(number, _label(name)) for number, name in series if number in drawn],
        lines=[
            (round(floor - float(top) * part * scale, 2), _short(top * Decimal(part))) for part in (0, 0.5, 1)
        ],
        labels=_labels(period, pitch),
        summary=f"{unit} from {period.first} to {period.last}; the highest bar is {_short(highest)} {unit}.",
    )


def _label(name: str | None) -> str:
    return "others" if name is None else name or "(none)"


def _labels(period: Period, pitch: float) -> Sequence[tuple[float, str]]:
    every = max(1, round(len(period.steps) / 12))
    form = "%b %y" if period.is_long else "%d %b"
    return [
        (round(_LEFT + (place + 0.5) * pitch, 2), f"{step:{form}}")
        for place, step in enumerate(period.steps)
        if place % every == 0
    ]


def _round_up(value: Decimal) -> Decimal:
    """Return the next number that begins with 1, 2 or 5, or the like, for the top line."""
    unit = Decimal(1).scaleb(value.adjusted())
    for factor in (1, Decimal("1.5"), 2, 3, 4, 5, 6, 8, 10):
        if value <= unit * factor:
            return unit * factor
    return unit * 10


def _short(value: Any) -> str:
    number = Decimal(value)
    for size, mark in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if abs(number) >= size:
            shown = number / (1000 if mark == "k" else size)
            return f"{shown:.1f}".removesuffix(".0") + f"\N{NARROW NO-BREAK SPACE}{mark}"
    if number == number.to_integral_value():
        return f"{number:.0f}"
    digits = max(2, 1 - number.adjusted())
    return f"{number:.{min(digits, 12)}f}".rstrip("0").rstrip(".")
