"""Measure the budgets: `nox -s bench`, or `python bench/run.py` in an environment that has the packages.

Nothing here is a test: a busy machine would make it fail. It prints a table, and says which budgets are met.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import _fresh  # beside this script, which is where Python looks first
from _ours import NOTHING_CONFIGURED, PLUGINS_AT_WORK, VISIBLE_PLUGINS
from _report import Row, page, svg, table, write_json
from _rounds import Worker, interleaved, service, visible_plugins

ROOT = Path(__file__).parent.parent
PEERS = ("aimux", "openai", "pydantic-ai", "litellm")
AWS_PEERS = ("aioboto3",)
MEMORY_CALLS = 20_000

# Scenario, what the table calls it, the budget, units a round, rounds. A peer gets as many units as it can do in about
# the time that we need: `_SHARE` of ours.
SCENARIOS = (
    ("chat1", "chat call, 1 in flight", 1.3, 200, 40),
    ("chat64", "chat call, 64 in flight", 1.3, 640, 25),
    ("bulk", "streamed event, 5,000 in bulk", 1.4, 2, 25),
    ("paced", "streamed event, one each 0.5 ms", 1.15, 1, 16),
    ("first", "until the first text of a stream", 1.3, 100, 25),
    ("base64", "embeddings 64 × 1536", 0.6, 8, 20),
    ("bedrock1", "chat call of Bedrock, signed, 1 in flight", 2.0, 200, 40),
    ("bedrock64", "chat call of Bedrock, signed, 64 in flight", 2.0, 640, 25),
)
_SHARE = {"aimux": 0.5, "openai": 0.1, "pydantic-ai": 0.05, "litellm": 0.05, "aioboto3": 0.1}
_ROUNDS_WITH_PEERS = 8
_BESIDE_BARE = ("chat1", "chat64")
_CALLS_WITH_PLUGINS, _ROUNDS_WITH_PLUGINS = 100, 40
_BUDGET_OF_PLUGINS = {NOTHING_CONFIGURED: 1.05}


def ratios(seen: dict[str, list[float]], base: str = "floor") -> dict[str, float]:
    """Divide each subject's least by that of the base."""
    least = min(seen[base])
    return {name: min(values) / least for name, values in seen.items() if name != base and values}


def start(names: Iterable[str], python: str, address: str) -> dict[str, Worker]:
    """Start subjects; those that cannot work are reported and left out."""
    workers = {
        name: Worker(name, python, address, VISIBLE_PLUGINS.get(name, visible_plugins())) for name in names
    }
    for name, worker in list(workers.items()):
        why = worker.ready()
        if why is not None:
            print(f"  {name} is left out: {why}", file=sys.stderr)
            worker.stop()
            del workers[name]
    return workers


def spread(values: list[float]) -> float:
    """Return the interquartile range of the rounds as a share of the median."""
    low, middle, high = statistics.quantiles(values, n=4)
    return (high - low) / middle


def scenarios(address: str, peers: str | None, aws_peers: str | None, only: list[str]) -> list[Row]:
    """Measure what subjects do while they live."""
    rows = []
    subjects = ["floor", "bare", "jackfield", "jackfield without numpy"]
    workers = start(subjects, sys.executable, address)
    if peers is not None:
        workers |= start(PEERS, peers, address)
    if aws_peers is not None:
        workers |= start(AWS_PEERS, aws_peers, address)
    for scenario, what, budget, units, rounds in SCENARIOS:
        if only and scenario not in only:
            continue
        print(f"  {what} ...", file=sys.stderr)
        with_numpy = scenario == "base64"
        theirs = AWS_PEERS if scenario.startswith("bedrock") else PEERS
        left_out = {"jackfield without numpy"} - ({"jackfield without numpy"} if with_numpy else set())
        left_out |= set() if scenario in _BESIDE_BARE else {"bare"}
        ours = [workers[name] for name in subjects if name not in left_out]
        at_work = [*ours, *(workers[name] for name in theirs if name in workers)]
        counts = {w.name: max(1, int(units * _SHARE.get(w.name, 1))) for w in at_work}
        seen = interleaved(ours, scenario, counts, rounds)
        found = ratios(seen)
        if len(at_work) > len(ours):
            # In rounds of their own, beside the floor: rounds with peers are long, and noise has more room in them.
            beside = [workers["floor"], *(w for w in at_work if w not in ours)]
            found |= ratios(interleaved(beside, scenario, counts, _ROUNDS_WITH_PEERS))
        noise = spread(seen["jackfield"])
        found.pop("bare", None)
        if with_numpy:
            plain = found.pop("jackfield without numpy")
            rows.append(
                Row(
                    what,
                    1.1,
                    {"jackfield without numpy": plain, **found},
                    spread=noise,
                    subject="jackfield without numpy",
                )
            )
            rows[-1].ratios.pop("jackfield")
            rows.append(Row(f"{what}, with numpy", budget, {"jackfield": found["jackfield"]}, spread=noise))
        else:
            rows.append(Row(what, budget, found, spread=noise))
        if "bare" in seen:
            beside = {"jackfield": ratios(seen, "bare")["jackfield"]}
            note = f"the floor itself is {ratios(seen, 'bare')['floor']:.2f}"
            rows.append(Row(f"{what}, × bare", None, beside, note=note, base="bare"))
    for worker in workers.values():
        worker.stop()
    return rows


def plugins(address: str, everything: str) -> list[Row]:
    """Measure what plugins add to a plain chat call, by being installed and by being at work."""
    print("  plugins ...", file=sys.stderr)
    workers = start(["jackfield", *PLUGINS_AT_WORK], everything, address)
    counts = dict.fromkeys(workers, _CALLS_WITH_PLUGINS)
    seen = interleaved(list(workers.values()), "chat1", counts, _ROUNDS_WITH_PLUGINS)
    for worker in workers.values():
        worker.stop()
    found = ratios(seen, "jackfield")
    return [
        Row(name, _BUDGET_OF_PLUGINS.get(name), {"jackfield": ratio}, spread=spread(seen[name]), base="plain")
        for name, ratio in found.items()
    ]


def processes(address: str, everything: str, peers: str | None) -> list[Row]:
    """Measure what only fresh processes show."""
    print("  imports, first answers ...", file=sys.stderr)
    imported = _fresh.imports(peers, 15)
    first = _fresh.first_answers(address, everything, peers, 15)
    with_all = {"jackfield": ratios(first).pop(NOTHING_CONFIGURED)}
    del first[NOTHING_CONFIGURED]
    mesh = {"jackfield": ratios(imported).pop("from jackfield import Mesh")}
    del imported["from jackfield import Mesh"]
    rows = [
        Row("importing it, and its Mesh", None, mesh, note="names load when they are first used"),
        Row("importing it", 0.35, ratios(imported), spread=spread(imported["jackfield"])),
        Row("first answer of a fresh process", 1.2, ratios(first), spread=spread(first["jackfield"])),
        Row("first answer, everything installed", None, with_all, note="a connection of OpenAI alone"),
    ]
    print(f"  memory over {MEMORY_CALLS:,} calls ...", file=sys.stderr)
    held = _fresh.memory(address, MEMORY_CALLS)
    grown = held["jackfield"][1] / held["jackfield"][0] - 1
    note = f"grew by {grown * 100:.1f} % over the last 90 % of the calls"
    ratio = held["jackfield"][1] / held["floor"][1]
    rows.append(Row(f"memory after {MEMORY_CALLS:,} calls", 1.25, {"jackfield": ratio}, note=note))
    return rows


def size() -> list[Row]:
    """Measure what installing core brings."""
    print("  installed size ...", file=sys.stderr)
    found = _fresh.installed(ROOT)
    if isinstance(found, str):
        print(f"  the installed size is left out: {found}", file=sys.stderr)
        return []
    return [
        Row("distributions that core installs", 14, {"jackfield": found["distributions"]}, note="a count"),
        Row(
            "megabytes that core installs", 13.6, {"jackfield": found["megabytes"]}, note="without byte code"
        ),
    ]


def versions_of(peers: str | None, aws_peers: str | None) -> dict[str, str]:
    """Name the versions of what was measured."""
    found = {name: version(name) for name in ("jackfield", "aiohttp", "orjson")}
    code = "import sys; from importlib.metadata import version as v; print(*map(v, sys.argv[1:]))"
    for python, names in (
        (peers, ("arcships-aimux", "openai", "litellm", "pydantic-ai-slim")),
        (aws_peers, AWS_PEERS),
    ):
        if python is not None:
            done = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=False)
            shown = (name.removesuffix("-slim").removeprefix("arcships-") for name in names)
            found |= dict(zip(shown, done.stdout.split(), strict=False))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--everything",
        default=sys.executable,
        help="a Python interpreter that has all packages of this repository, and OpenTelemetry's SDK",
    )
    parser.add_argument("--peers", help="a Python interpreter that has the other libraries")
    parser.add_argument("--aws-peers", help="a Python interpreter that has AWS's own libraries")
    parser.add_argument("--no-peers", action="store_true", help="measure ours and the floor alone")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        choices=[*(scenario for scenario, *_ in SCENARIOS), "plugins"],
        help="measure this scenario alone (repeatable)",
    )
    parser.add_argument(
        "--json", type=Path, default=ROOT / "bench" / "results.json", help="where to write it"
    )
    parser.add_argument(
        "--write", action="store_true", help="rewrite the page and the plot of the documentation"
    )
    arguments = parser.parse_args()
    peers = None if arguments.no_peers else arguments.peers
    aws_peers = None if arguments.no_peers else arguments.aws_peers
    with service() as address:
        rows = scenarios(address, peers, aws_peers, arguments.only)
        if not arguments.only or "plugins" in arguments.only:
            rows += plugins(address, arguments.everything)
        if not arguments.only:
            rows += processes(address, arguments.everything, peers)
    if not arguments.only:
        rows += size()
    print(table(rows))
    found = versions_of(peers, aws_peers)
    write_json(arguments.json, rows, found)
    if arguments.write:
        assets = ROOT / "docs" / "assets"
        assets.mkdir(exist_ok=True)
        plotted = [row for row in rows if row.base == "floor" and "that core installs" not in row.what]
        (assets / "benchmarks.svg").write_text(svg(plotted), "utf-8")
        path = ROOT / "docs" / "explanation" / "benchmarks.md"
        # What `local.py` wrote stays.
        _, mark, local = path.read_text("utf-8").partition("<!-- local models -->")
        path.write_text(
            page(rows, "../assets/benchmarks.svg", found) + ("\n" + mark + local if mark else ""), "utf-8"
        )


if __name__ == "__main__":
    main()
