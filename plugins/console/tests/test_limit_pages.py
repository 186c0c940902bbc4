"""Rules of limits: what is used of them, and forms to add and change them."""

import tomllib
from decimal import Decimal

import pytest
from configuring import FILE, Theirs, configured, fields_of_page
from console_running import messages_of

from jackfield import Registry
from jackfield.testing import FakeProvider
from jackfield_limits import LIMITS, Counter, StoreAwayError, Take, find_store

USED = FILE.replace("[console]", '[console]\n\n[defaults]\nmiddlewares = ["limits"]')
RULES = """
[middleware.limits]
store = "memory"

# for the researchers
[[middleware.limits.limit]]
name = "research-monthly"
owner = "org/research"
measure = "money"
most = "250" # agreed with Ann
currency = "USD"
window = "month"

[[middleware.limits.limit]]
name = "requests"
each = "owner"
measure = "requests"
most = 100
window = "ever"
"""


def plugins(fake):
    return Registry.of(fake, Theirs("theirs", models=("m",)), middlewares={"limits": LIMITS})


@pytest.fixture
def store(running):
    """The store of the mesh."""
    return find_store(running.state.current.config.middleware_settings["limits"])


@pytest.fixture
async def running(tmp_path):
    async with configured(tmp_path, USED + RULES, registry=plugins(FakeProvider())) as running:
        yield running


async def use(running, store, key, amount, *, settle=True):
    rules = running.state.current.config.middleware_settings["limits"].limit
    rule = next(rule for rule in rules if key.partition(":")[0] == rule.name)
    counter = Counter(key=key, window=rule.time, most=rule.amount)
    grant = await store.reserve(f"{key}-{amount}", [Take(counter=counter, amount=amount)], 60.0)
    if settle:
        await store.settle(grant, {key: amount})


def rules_in(path):
    return tomllib.loads(path.read_text())["middleware"]["limits"].get("limit", [])


async def test_what_is_used_and_reserved_is_shown(running, store):
    await use(running, store, "research-monthly", int(Decimal("187.34") * 10**12))
    await use(running, store, "research-monthly", 9 * 10**12, settle=False)
    await use(running, store, "requests:org/<b>x</b>", 97)
    page = await running.browser.get("/limits")
    assert "187.34\u202fUSD used, 9.00\u202fUSD reserved" in page
    assert "97 used" in page
    assert "org/&lt;b&gt;x&lt;/b&gt;" in page
    assert 'width="74.94"' in page


async def test_limits_that_hold_for_no_call_say_so(tmp_path):
    async with configured(tmp_path, FILE + RULES, registry=plugins(FakeProvider())) as running:
        page = await running.browser.get("/limits")
        assert "hold for no call yet" in page
        await running.browser.post("/limits/use")
        assert tomllib.loads(running.path.read_text())["defaults"]["middlewares"] == ["limits"]
        assert "hold for no call" not in await running.browser.get("/limits")


async def test_what_was_counted_outlives_a_change_of_the_file(running):
    call = {"target": "fake:echo", "message": "hi", "ask": "yes"}
    await running.browser.post("/try", call, status=200)
    page = await running.browser.get("/limits")
    assert "console/alice" in page
    assert "1 used" in page
    old = running.state.current
    fields = fields_of_page(await running.browser.get("/connections/edit/fake"))
    await running.browser.post("/connections/edit/fake", {**fields, "max_parallel": "4"})
    assert running.state.current is not old
    await running.browser.post("/try", call, status=200)
    assert "2 used" in await running.browser.get("/limits")


async def test_a_limit_that_is_reached_is_told_on_the_page_try(running):
    fields = fields_of_page(await running.browser.get("/limits/edit/requests"))
    await running.browser.post("/limits/edit/requests", {**fields, "most": "1"})
    call = {"target": "fake:echo", "message": "hi", "ask": "yes"}
    await running.browser.post("/try", call, status=200)
    page = await running.browser.post("/try", call, status=200)
    assert "requests" in page.partition('class="message problem">')[2].partition("</div>")[0]


async def test_a_limit_is_added_changed_and_removed(running):
    browser, path = running.browser, running.path
    before = path.read_text()
    fields = fields_of_page(await browser.get("/limits/new?owner=org/ops"))
    assert (fields["owner"], fields["measure"], fields["window"]) == ("org/ops", "money", "month")
    await browser.post("/limits/new", {**fields, "name": "ops", "most": "12.50", "warn_at": "0.5\n0.8"})
    assert path.read_text() == before + (
        '\n[[middleware.limits.limit]]\nname = "ops"\nowner = "org/ops"\nmeasure = "money"\nmost = "12.50"\ncurrency = "USD"\n'
        'window = "month"\nwarn_at = [0.5, 0.8]\n'
    )
    fields = fields_of_page(await browser.get("/limits/edit/research-monthly"))
    await browser.post("/limits/edit/research-monthly", {**fields, "most": "300"})
    assert 'most = "300" # agreed with Ann' in path.read_text()
    await browser.post(
        "/limits/edit/ops",
        {"file-digest": _digest(await browser.get("/limits/edit/ops")), "remove-limit": "yes"},
    )
    assert path.read_text() == before.replace('"250"', '"300"')
    assert [rule.name for rule in running.state.current.config.middleware_settings["limits"].limit] == [
        "research-monthly",
        "requests",
    ]


def _digest(page):
    return page.partition('name="file-digest" value="')[2].partition('"')[0]


async def test_the_currency_of_the_form_is_left_out_of_what_is_not_money(running):
    fields = {**fields_of_page(await running.browser.get("/limits/new")), "name": "few"}
    assert (fields["measure"], fields["currency"]) == ("money", "USD")
    await running.browser.post(
        "/limits/new", {**fields, "measure": "requests", "most": "3"}, page="/limits/new"
    )
    assert "currency" not in rules_in(running.path)[-1]
    await running.browser.post(
        "/limits/new", {**fields, "name": "more", "measure": "requests", "most": "3", "currency": "EUR"},
        page="/limits/new", status=None,
    )  # fmt: skip
    assert [rule["name"] for rule in rules_in(running.path)][-1] == "few"


async def test_mistakes_of_a_limit_stand_beside_their_field(running):
    browser, before = running.browser, running.path.read_bytes()
    fields = fields_of_page(await browser.get("/limits/new"))
    for name, text, words in (
        ("most", "1.2.3", "must be a number, such as 0.25"),
        ("name", "with space", "letters, digits"),
        ("owner", "/x", "must be a path"),
        ("window", "fortnight", "window must be one of"),
        ("zone", "Mars/Base", "zone must be"),
    ):
        page = await browser.post("/limits/new", {**fields, "name": "x", "most": "1", name: text}, status=422)
        assert words in page.partition(f'id="e-{name}">')[2].partition("</p>")[0], name
    page = await browser.post("/limits/new", {**fields, "name": "requests", "most": "1"}, status=422)
    assert "two limits have the name" in page
    assert running.path.read_bytes() == before


async def test_how_limits_are_kept_is_a_form_too(running):
    fields = fields_of_page(await running.browser.get("/limits/settings"))
    assert "limit" not in fields
    await running.browser.post("/limits/settings", {**fields, "unpriced": "allow"})
    assert '[middleware.limits]\nstore = "memory"\nunpriced = "allow"\n' in running.path.read_text()
    assert len(rules_in(running.path)) == 2
    page = await running.browser.post(
        "/limits/settings", {**fields, "store": "redis://:hunter2@h"}, status=422
    )
    assert "hunter2" not in page
    assert "env:NAME" in page or "password" in page


async def test_a_store_that_does_not_answer_is_told(running, store, monkeypatch):
    async def fail(counters):
        raise StoreAwayError("it is away")

    monkeypatch.setattr(store, "read", fail)
    assert "does not answer: it is away" in await running.browser.get("/limits")


async def test_without_the_package_the_page_says_what_to_install(tmp_path):
    async with configured(tmp_path, fake=FakeProvider()) as running:
        assert "Limits are another package" in await running.browser.get("/limits")
        await running.browser.get("/limits/new", status=404)


async def test_a_viewer_changes_no_limit(running):
    await running.browser.post("/logout")
    await running.browser.log_in("vera")
    assert "Edit" not in await running.browser.get("/limits")
    for path in ("/limits/new", "/limits/edit/requests", "/limits/settings"):
        await running.browser.get(path, status=403)
    await running.browser.post("/limits/use", status=403)
    assert messages_of(await running.browser.get("/limits")) == []
