"""Usage, calls, owners and exports: the same sums everywhere, on both stores, and nothing that clients wrote is trusted."""

import csv
import io
import json
import re
import time
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape

import pytest
from console_running import both_stores, running_console

from jackfield.plugin import RateCard
from jackfield.testing import FakeAnswer, FakeProvider
from jackfield_console._calls import CallFilter, list_calls
from jackfield_console._database import open_database, read_url
from jackfield_console._exports import FOCUS_COLUMNS
from jackfield_console._pages_owners import make_tree
from jackfield_console._usage import Sums
from jackfield_gateway._keys import hash_key, make_key
from jackfield_gateway._spend import SpendRow
from jackfield_gateway._stores import open_store

EVIL = '"><script>alert(1)</script>'
HELLO = {"model": "best", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}


def row(number, **changes):
    values = {
        "id": f"r{number}",
        "at": time.time() - number,
        "key": "alice",
        "owner": "org/team/app",
        "surface": "openai.chat",
        "asked": "best",
        "connection": "fake",
        "model": "echo",
        "input_tokens": 10,
        "output_tokens": 2,
        "amount": "0.10",
        "currency": "USD",
        "cost": "complete",
        "attempts": 1,
        "duration": 0.5,
    }
    return SpendRow(**{**values, **changes})


ROWS = [
    row(1),
    row(2, owner="org/team/other", key="bob", amount="0.000000000000000001"),
    row(3, owner="org/teams", model="big", amount="7", currency="EUR"),
    row(4, cost="partial", amount="0.5"),
    row(
        5,
        cost="unknown",
        amount=None,
        currency=None,
        status="error",
        error="RateLimitError",
        input_tokens=None,
    ),
    row(6, key="", owner="default", status="cancelled"),
]


def write(store, rows):
    gateway = open_store(store)
    gateway.add_spend(rows)
    gateway.close()


def cells(text, first):
    """Return the cells of the row of a table that begins with a word."""
    for line in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL):
        found = [
            unescape(re.sub(r"<[^>]*>", "", cell)).strip()
            for cell in re.findall(r"<t[hd].*?</t[hd]>", line, re.DOTALL)
        ]
        if found and found[0] == first:
            return [cell.replace("\N{NARROW NO-BREAK SPACE}", " ") for cell in found]
    raise AssertionError(f"no row {first}")


@pytest.fixture
async def browser(store):
    write(store, ROWS)
    async with running_console(store) as running:
        await running.browser.log_in()
        yield running.browser


@both_stores
async def test_usage_by_owner_keeps_complete_partial_and_unknown_costs_apart(browser):
    text = await browser.get("/usage?days=7")
    assert cells(text, "org/team/app") == [
        "org/team/app",
        "3",
        "1",
        "20",
        "6",
        "",
        "",
        "0.1000",
        "0.5000",
        "1",
    ]
    assert cells(text, "org/teams")[5:7] == ["7.0000", ""]
    assert cells(text, "Total")[1:5] == ["6", "1", "50", "12"]
    assert "<svg" in text
    assert "style=" not in text
    assert "<script" not in text


@both_stores
@pytest.mark.parametrize(
    ("query", "calls"),
    [
        ("owner=org/team", "4"),
        ("owner=org", "5"),
        ("owner=org/team/app", "3"),
        ("key=bob", "1"),
        ("model=big", "1"),
        ("connection=fake&key=alice", "4"),
        ("days=dates&from=2001-01-01&to=2001-02-01", None),
    ],
)
async def test_usage_is_selected(browser, query, calls):
    for by in ("owner", "key", "model", "connection", "day"):
        text = await browser.get(f"/usage?by={by}&{query}")
        if calls is None:
            assert "Nothing was used in this time" in text
        else:
            assert cells(text, "Total")[1] == calls


@both_stores
async def test_every_page_and_export_has_the_same_sum(browser):
    whole = Decimal("0.7") + Decimal("0.000000000000000001")
    lines = list(csv.DictReader(io.StringIO(await browser.get("/usage.csv?days=7"))))
    assert sum(Decimal(line["amount"]) for line in lines if line["currency"] == "USD") == whole
    assert sum(int(line["requests"]) for line in lines) == 6
    focus = list(csv.DictReader(io.StringIO(await browser.get("/usage.focus.csv?days=7"))))
    assert sum(Decimal(line["BilledCost"]) for line in focus if line["BillingCurrency"] == "USD") == whole
    owners = await browser.get("/owners?days=7")
    assert cells(owners, "org")[2] == "5"
    assert cells(owners, "team")[2] == "4"


@both_stores
async def test_the_focus_export_has_every_mandatory_column_and_no_row_without_a_cost(browser):
    text = await browser.get("/usage.focus.csv?days=7")
    assert browser.headers["content-disposition"].startswith("attachment; filename=")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert tuple(lines[0]) == FOCUS_COLUMNS
    may_be_null = {"ChargeClass", "HostProviderName"}
    for line in lines:
        assert all(line[name] for name in FOCUS_COLUMNS if name not in may_be_null), line
        assert line["ChargePeriodStart"] < line["ChargePeriodEnd"]
        assert json.loads(line["Tags"])["owner"] == line["SubAccountId"]
    unknown = [line for line in lines if line["x_CostState"] == "unknown"]
    assert [(line["BilledCost"], line["BillingCurrency"]) for line in unknown] == [("0", "XXX")]


@both_stores
async def test_calls_are_listed_newest_first_and_filtered(browser):
    text = await browser.get("/calls?days=7")
    assert [int(number) for number in re.findall(r'href="/console/calls/(\d+)"', text)] == [1, 2, 3, 4, 5, 6]
    for query, count in (
        ("key=alice", 4),
        ("owner=org/team", 4),
        ("status=not-ok", 2),
        ("status=error", 1),
        ("status=error&key=bob", 0),
        ("cost=partial", 1),
        ("model=big", 1),
        ("connection=none", 0),
        ("id=r3", 1),
        ("id=r", 6),
    ):
        text = await browser.get(f"/calls?days=7&{query}")
        assert len(re.findall(r'href="/console/calls/\d+"', text)) == count, query


@both_stores
async def test_pages_of_calls_begin_where_the_last_one_ended(store, browser):
    moment = time.time() - 1_000
    write(store, [row(number, id=f"same{number}", at=moment) for number in range(120)])
    path, seen = "/calls?days=7", []
    while path:
        text = await browser.get(path)
        seen += [int(number) for number in re.findall(r'href="/console/calls/(\d+)"', text)]
        found = re.search(r'<a class="button" href="/console([^"]+)">Older', text)
        path = unescape(found[1]) if found else ""
    assert len(seen) == len(set(seen)) == 126


@both_stores
def test_a_filter_without_an_index_looks_through_some_rows_at_a_time(store, monkeypatch):
    monkeypatch.setattr("jackfield_console._calls._SCAN", 10)
    write(store, [row(number, model="rare" if number in (3, 25) else "echo") for number in range(30)])
    database = open_database(read_url(store))
    wanted, after, seen, pages = CallFilter(model="rare"), None, [], 0
    while True:
        page = database.call(list_calls, wanted, after)
        seen += [one["id"] for one in page.rows]
        pages += 1
        after = page.after
        if after is None:
            break
        assert page.looked_until is not None
    database.close()
    assert seen == ["r3", "r25"]
    assert pages == 4


@both_stores
async def test_one_call_shows_attempts_bill_and_parameters(store):
    key = make_key()
    keys = {"alice": {"hash": hash_key(key), "owner": "org/a"}}
    fake = FakeProvider(price=RateCard.of(source="a price list", input="1", output="2"))
    async with running_console(store, fake=fake, keys=keys) as running:
        fake.script(FakeAnswer(text="a b c", usage=(10, 3)))
        await running.post("/v1/chat/completions", HELLO, x_api_key=key)
        running.state.ledger._write_all()
        await running.browser.log_in()
        text = await running.browser.get("/calls/1")
    assert cells(text, "fake:echo")[1].startswith("ok")
    assert cells(text, "input") == ["input", "10", "1 per 1 000 000", "0.00001", "a price list"]
    assert "0.000016 USD" in text
    assert "a b c" not in text


async def test_a_call_that_is_none_is_told(browser):
    for number in ("999", "9" * 30):
        assert "There is no such call" in await browser.get(f"/calls/{number}", status=404)


@both_stores
async def test_names_that_clients_and_services_choose_are_shown_as_text(store):
    evil = row(
        1,
        asked=EVIL,
        model=EVIL,
        connection=EVIL,
        key=EVIL,
        owner=EVIL,
        error=EVIL,
        status="error",
        surface=EVIL,
    )
    write(store, [evil])
    async with running_console(store) as running:
        browser = running.browser
        await browser.log_in()
        for path in (
            "/",
            "/usage",
            "/usage?by=model",
            "/usage?by=key",
            "/calls",
            "/calls/1",
            "/owners",
            "/calls?key=%22%3E%3Cscript%3E",
        ):
            text = await browser.get(path)
            assert "<script" not in text, path
            assert "alert(1)" in text or path == "/calls?key=%22%3E%3Cscript%3E", path


async def test_a_spreadsheet_does_not_run_what_a_client_wrote(store):
    write(store, [row(1, model='=HYPERLINK("http://evil")', owner="@sum")])
    async with running_console(store) as running:
        await running.browser.log_in()
        lines = list(csv.DictReader(io.StringIO(await running.browser.get("/usage.csv"))))
    assert lines[0]["model"].startswith("'=")
    assert lines[0]["owner"] == "'@sum"
    assert lines[0]["amount"] == "0.1"


@pytest.mark.parametrize(
    "query",
    [
        "days=x",
        "from=x&to=y",
        "from=2026-99-99",
        "days=dates&from=9999-01-01",
        "by=x&measure=y",
        "after=x-y",
        "after=inf-1",
        "after=nan-1",
    ],
)
async def test_an_address_that_is_not_valid_shows_a_page(browser, query):
    for page in ("/usage", "/calls", "/owners"):
        await browser.get(f"{page}?{query}")


def test_a_tree_has_sums_of_all_below():
    tree = make_tree({"a/b": Sums(requests=2), "a/b/c": Sums(requests=3), "ab": Sums(requests=5)}, {"a/d": 1})
    assert [(node.path, node.depth, node.sums.requests, node.keys) for node in tree] == [
        ("a", 0, 5, 1),
        ("a/b", 1, 5, 0),
        ("a/b/c", 2, 3, 0),
        ("a/d", 1, 0, 1),
        ("ab", 0, 5, 0),
    ]


async def test_days_are_those_of_utc(store):
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    write(store, [row(1, at=midnight), row(2, at=midnight - 0.001)])
    async with running_console(store) as running:
        await running.browser.log_in()
        assert cells(await running.browser.get("/usage?days=1"), "Total")[1] == "1"
        assert cells(await running.browser.get("/usage?days=7"), "Total")[1] == "2"
        calls = await running.browser.get("/calls?days=1")
    assert len(re.findall(r'href="/console/calls/\d+"', calls)) == 1
