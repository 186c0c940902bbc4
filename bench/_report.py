"""Write the results down: a table for the terminal, JSON, a page and a plot for the documentation."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import platform
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

COLOURS = {
    "jackfield": "#00796b", "jackfield without numpy": "#4db6ac",
    "openai": "#5c6bc0", "pydantic-ai": "#ef6c00", "litellm": "#8d6e63", "aioboto3": "#fbc02d",
    "int8": "#00796b", "fp32": "#4db6ac", "llama.cpp": "#ef6c00",
}  # fmt: skip


class Row:
    """One line of the table.

    Args:
        what: What is measured.
        budget: The most that ours may be, as a multiple of the floor; None if nothing was promised.
        ratios: By subject, multiples of the floor.
        spread: By subject, how far the middle half of all rounds lies apart, as a share of their median.
        subject: Whose ratio the budget holds.
        note: More to say.
    """

    def __init__(
        self,
        what: str,
        budget: float | None,
        ratios: dict[str, float],
        *,
        spread: float | None = None,
        subject: str = "jackfield",
        note: str = "",
    ) -> None:
        self.what = what
        self.budget = budget
        self.ratios = ratios
        self.spread = spread
        self.subject = subject
        self.note = note

    @property
    def ours(self) -> float:
        return self.ratios[self.subject]

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return ""
        return "met" if self.ours <= self.budget else f"missed by {(self.ours / self.budget - 1) * 100:.0f} %"

    def peers(self, separator: str = ", ") -> str:
        others = {name: ratio for name, ratio in self.ratios.items() if not name.startswith("jackfield")}
        return separator.join(f"{name} {ratio:.3g}" for name, ratio in others.items())

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what, "budget": self.budget, "ratios": self.ratios, "subject": self.subject,
            "spread": self.spread, "verdict": self.verdict, "note": self.note,
        }  # fmt: skip


def machine() -> str:
    """Say on what class of machine this ran, without naming it."""
    model = platform.machine()
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, CPython {platform.python_version()}"


def table(rows: list[Row]) -> str:
    """Write the rows for a terminal."""
    lines = [("what", "ours", "budget", "verdict", "spread", "others")]
    lines += [
        (
            row.what,
            f"{row.ours:.2f}",
            "" if row.budget is None else f"{row.budget:.2f}",
            row.verdict,
            "" if row.spread is None else f"{row.spread * 100:.0f} %",
            row.peers() or row.note,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def page(rows: list[Row], plot: str, versions: dict[str, str]) -> str:
    """Write the page of the documentation."""
    body = "\n".join(
        f"| {row.what} | {row.ours:.2f} | {'' if row.budget is None else f'{row.budget:.2f}'} | {row.verdict} "
        f"| {row.peers() or row.note} |"
        for row in rows
    )
    used = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"""# Benchmarks

This page shows the cost of Jackfield as a multiple of a **floor**: a client written by hand with aiohttp and orjson that does the same
work, with timeouts set, a retry loop and typed results (`bench/_floor.py`). A value of 1 is the cost of the
work itself. There are no absolute times, because they would depend on the machine more than on the library.

![Multiples of the floor, by library]({plot})

| CPU of | ours, × floor | budget | verdict | others, × floor |
|---|---|---|---|---|
{body}

Measured on {dt.datetime.now(tz=dt.UTC).date().isoformat()}, {machine()}; {used}.

## Method

A loopback service in its own process answers with prepared bytes. Each library runs in its own process,
too. They take turns, round after round in a single run, so that other load on the machine affects all of them equally.
The result is the CPU time of the client's process, the minimum over all rounds. The start of the interpreter is subtracted from
imports. Each client reads what a program would read (text, usage, finish reason), and reads a stream event by
event. `nox -s bench` repeats the measurements on your machine, and `nox -s bench -- --no-peers` does so without the other libraries. Both
print the table; `--write` also updates this page. On a busy machine, runs differ by about five to
ten percent, so no test asserts these numbers.

The bulk stream has 5,000 events; the paced stream has events 0.5 ms apart. The embeddings
are 64 vectors of 1,536 numbers, sent as base64, and their floor uses the standard library's `array`. Bedrock calls use
Converse; their floor does not sign requests, whereas Jackfield and aioboto3 do.
"""


def svg(rows: list[Row], title: str = "CPU as a multiple of the floor", scale: str = "less is better") -> str:
    """Draw ratios on a logarithmic scale, one line a row; the scale is told under it."""
    shown = [row for row in rows if row.ratios]
    right, top, step = 40, 56, 34
    left = 40 + round(6.6 * max(len(row.what) for row in shown))
    width, height = left + 620, top + step * len(shown) + 60
    ratios = [ratio for row in shown for ratio in row.ratios.values()]
    highest, lowest = 1.15 * max(2.0, *ratios), min(0.5, *ratios) / 1.15

    def x(ratio: float) -> float:
        return left + (math.log(ratio / lowest) / math.log(highest / lowest)) * (width - left - right)

    steps = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
    marks = [mark for mark in steps if lowest <= mark <= highest]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f"<title>{escape(title)}</title>",
        '<g font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for mark in marks:
        colour = "#424242" if mark == 1 else "#e0e0e0"
        out += [
            f'<path d="M {x(mark):.1f} {top - 14} V {height - 50}" stroke="{colour}"/>',
            f'<text x="{x(mark):.1f}" y="{height - 32}" text-anchor="middle" fill="#616161">{mark:g}×</text>',
        ]
    out.append(
        f'<text x="{(left + width - right) / 2:.0f}" y="{height - 10}" text-anchor="middle" fill="#616161">'
        f"{escape(title)}, logarithmic: {escape(scale)}</text>"
    )
    for number, row in enumerate(shown):
        y = top + number * step
        out.append(f'<text x="{left - 16}" y="{y + 5}" text-anchor="end">{escape(row.what)}</text>')
        if row.budget is not None:
            out.append(
                f'<path d="M {x(row.budget):.1f} {y - 10} v 20" stroke="#c62828" stroke-width="2">'
                f"<title>budget {row.budget:g}</title></path>"
            )
        for name, ratio in row.ratios.items():
            out.append(
                f'<circle cx="{x(ratio):.1f}" cy="{y}" r="6" fill="{COLOURS.get(name, "#9e9e9e")}">'
                f"<title>{escape(name)}: {ratio:.2f}</title></circle>"
            )
    names = list(dict.fromkeys(name for row in shown for name in row.ratios))
    at = 20
    for name in names:
        out += [
            f'<circle cx="{at}" cy="20" r="6" fill="{COLOURS.get(name, "#9e9e9e")}"/>',
            f'<text x="{at + 11}" y="25">{escape(name)}</text>',
        ]
        at += 34 + 8 * len(name)
    out += [
        f'<path d="M {at} 10 v 20" stroke="#c62828" stroke-width="2"/>',
        f'<text x="{at + 9}" y="25">budget</text>',
        "</g>",
        "</svg>",
    ]
    return "\n".join(out) + "\n"


def write_json(path: Path, rows: list[Row], versions: dict[str, str]) -> None:
    """Write all that was found, for programs."""
    found = {
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions,
        "rows": [row.as_json() for row in rows],
    }
    path.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
