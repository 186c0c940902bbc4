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
    "openai": "#5c6bc0", "pydantic-ai": "#ef6c00", "litellm": "#8d6e63", "aioboto3": "#fbc02d", "aimux": "#d81b60",
    "int8": "#00796b", "fp32": "#4db6ac", "llama.cpp": "#ef6c00",
}  # fmt: skip


class Row:
    """One line of the table.

    Args:
        what: What is measured.
        budget: The most that ours may be, as a multiple of the floor; None if nothing was promised.
        ratios: By subject, multiples of the base.
        spread: By subject, how far the middle half of all rounds lies apart, as a share of their median.
        subject: Whose ratio the budget holds.
        note: More to say.
        base: What the ratios are multiples of: the floor, a "bare" call, or a "plain" call of Jackfield.
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
        base: str = "floor",
    ) -> None:
        self.what = what
        self.budget = budget
        self.ratios = ratios
        self.spread = spread
        self.subject = subject
        self.note = note
        self.base = base

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
            "spread": self.spread, "verdict": self.verdict, "note": self.note, "base": self.base,
        }  # fmt: skip


def machine() -> str:
    """Describe the class of the machine, without naming it."""
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


def _lines(rows: list[Row], base: str, *, others: bool = True) -> str:
    """Write the rows of a base as lines of a table of the page."""
    return "\n".join(
        f"| {row.what} | {row.ours:.2f} | {'' if row.budget is None else f'{row.budget:.2f}'} | {row.verdict} |"
        + (f" {row.peers() or row.note} |" if others else "")
        for row in rows
        if row.base == base
    )


def page(rows: list[Row], plot: str, versions: dict[str, str]) -> str:
    """Write the page of the documentation."""
    used = ", ".join(f"{name} {version}" for name, version in versions.items())
    bare = ", ".join(
        f"{row.ours:.2f} ({row.what.removesuffix(', × bare')}; {row.note})"
        for row in rows
        if row.base == "bare"
    )
    return f"""# Benchmarks

This page shows the cost of Jackfield as a multiple of a **floor**: a client written by hand with aiohttp and orjson that does the same
work, with timeouts set, a retry loop and typed results. A value of 1 is the cost of the work itself. There are no absolute times, because
they would depend on the machine more than on the library.

![Multiples of the floor, by library]({plot})

| CPU of | ours, × floor | budget | verdict | others, × floor |
|---|---|---|---|---|
{_lines(rows, "floor")}

Measured on {dt.datetime.now(tz=dt.UTC).date().isoformat()}, {machine()}; {used}.

**What the floor does** (`bench/_floor.py`). It has one `aiohttp.ClientSession` without a limit on connections, with a timeout of 600 seconds in
total, 10 for a connection and 120 between two reads. It builds the body as a dict, serializes it with orjson and sends it. It makes up to
three attempts, with pauses, if the status is 408, 409, 429, 500, 502, 503 or 504 or the connection fails. It parses the answer with orjson into
two small objects with slots: the text, the id, the model and the finish reason, and four token counts. It reads a stream event by event
into three kinds of objects, and notices if it was cut. It does nothing else: one service, one model, no options but a limit of tokens, no
tools, no costs, no report, no redaction of errors.

**Without even that**: beside aiohttp and orjson alone, with a dict for an answer, no retries and no timeouts but aiohttp's own, a call of
Jackfield costs {bare}.

## What plugins add

A chat call, 1 in flight, as a multiple of the same call with the core and `jackfield-openai` alone.

| CPU of a call with | × plain call | budget | verdict |
|---|---|---|---|
{_lines(rows, "plain", others=False)}

The first row has every package of the repository installed and nothing configured: no middleware, no provider of spans or metrics. In the
others, one plugin works: middlewares with their default settings, and `otel` with an SDK that creates spans and sums metrics, but
exports nothing. A hit in the cache saves the exchange with the service.

## Method

A loopback service in its own process answers with prepared bytes. Each library runs in its own process,
too. They take turns, round after round in a single run, so that other load on the machine affects all of them equally.
The result is the CPU time of the client's process, the minimum over all rounds. The start of the interpreter is subtracted from
imports. Each client reads what a program would read (text, usage, finish reason), and reads a stream event by
event. `nox -s bench` repeats the measurements on your machine, and `nox -s bench -- --no-peers` does so without the other libraries. Both
print the table; `--write` also updates this page. On a busy machine, runs differ by about five to
ten percent, so no test asserts these numbers. `python bench/instructions.py chat1 chat64` counts instructions with valgrind instead: a busy
machine does not change them, but they know nothing of caches and of the kernel.

All processes have the same hash seed and the same settings of glibc's allocator. asyncio reads into a new buffer of 256 KiB each time, and
whether glibc returns that memory to the system each time depends on what lies behind it in the heap. This adds about 30 µs a call to some
processes and nothing to others, so earlier versions of this page compared a floor with it to a Jackfield without it, or the reverse.

The bulk stream has 5,000 events; the paced stream has events 0.5 ms apart. The embeddings
are 64 vectors of 1,536 numbers, sent as base64, and their floor uses the standard library's `array`. Bedrock calls use
Converse; their floor does not sign requests, whereas Jackfield and aioboto3 do. aimux is written in Rust and blocks its thread, so its 64
calls in flight have a thread each, and it reads embeddings as JSON numbers.
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
