"""`jackfield limits list`."""

from __future__ import annotations

import asyncio
import json

import pytest

import jackfield_limits_commands
from jackfield import Registry
from jackfield.cli import main
from jackfield_limits import LIMITS, Counter, Take, open_store
from jackfield_limits._windows import parse_window

CONFIG = """
[defaults]
middlewares = ["limits"]

[middleware.limits]
store = "sqlite:///{path}"

[[middleware.limits.limit]]
name = "monthly"
measure = "money"
currency = "USD"
most = "250"
window = "month"

[[middleware.limits.limit]]
name = "people"
each = "owner"
measure = "requests"
most = "10"
window = "ever"
"""


REGISTRY = Registry.of(extensions=[jackfield_limits_commands], middlewares={"limits": LIMITS})


def run(*arguments):
    with pytest.raises(SystemExit) as left:
        main(list(arguments), registry=REGISTRY)
    assert left.value.code in (0, None)


async def used(path):
    store = open_store(f"sqlite:///{path}")
    monthly = Counter(key="monthly", window=parse_window("month"), most=250 * 10**12)
    people = Counter(key="people:org/a", window=parse_window("ever"), most=10)
    grant = await store.reserve(
        "1", [Take(counter=monthly, amount=10**12), Take(counter=people, amount=1)], 60
    )
    await store.settle(grant, {"monthly": 5 * 10**11, "people:org/a": 1})
    await store.reserve("2", [Take(counter=monthly, amount=10**12)], 600)
    await store.aclose()


def test_limits_are_listed_with_what_is_used_of_them(tmp_path, capsys):
    path = tmp_path / "jackfield.toml"
    path.write_text(CONFIG.format(path=tmp_path / "limits.db"))
    asyncio.run(used(tmp_path / "limits.db"))
    run("--config", str(path), "limits", "list")
    head, monthly, people = capsys.readouterr().out.splitlines()
    assert head.split() == ["LIMIT", "MEASURE", "WINDOW", "USED", "RESERVED", "MOST", "ACTION", "RESETS"]
    assert monthly.split()[:7] == ["monthly", "USD", "month", "0.5", "1", "250", "refuse"]
    assert people.split() == ["people:org/a", "requests", "ever", "1", "0", "10", "refuse"]
    run("limits", "list", "--config", str(path), "--json")
    rows = json.loads(capsys.readouterr().out)["limits"]
    expected = [("monthly", "0.5", "248.5"), ("people:org/a", "1", "9")]
    assert [(row["limit"], row["used"], row["remaining"]) for row in rows] == expected


def test_without_limits_it_says_so(tmp_path, capsys):
    path = tmp_path / "jackfield.toml"
    path.write_text("")
    run("--config", str(path), "limits", "list")
    assert "no limits are declared" in capsys.readouterr().err


@pytest.mark.parametrize("json_wanted", [False, True])
def test_a_file_that_is_not_there_is_told_and_not_made(tmp_path, capsys, json_wanted):
    path = tmp_path / "else" / "limits.db"
    (tmp_path / "jackfield.toml").write_text(CONFIG.format(path=path), "utf-8")
    run("--config", str(tmp_path / "jackfield.toml"), *(["--json"] if json_wanted else []), "limits", "list")
    told = capsys.readouterr()
    assert not path.parent.exists()
    if json_wanted:
        assert (json.loads(told.out)["limits"][0]["used"], told.err) == ("0", "")
    else:
        assert "monthly" in told.out
        assert f"{path} does not exist" in told.err
