"""Models: which are allowed, what they can, what they cost, and the price that was confirmed."""

import html
import re
import tomllib
from datetime import UTC, datetime

import pytest
from configuring import FILE, Theirs, configured
from console_running import messages_of

from jackfield import ServerError
from jackfield.plugin import RateCard
from jackfield.testing import FakeProvider
from jackfield_console._price_files import add_rows

MARKUP = '<script>alert("x")</script>'
CARD = RateCard.of(source="their table", as_of="2026-11-22", input="1.5", output="3")


def boxes(page):
    """Return the names of the ticked models, and of all that can be ticked."""
    found = re.findall(r'<input type="checkbox" name="allow" value="([^"]*)"[^>]*?( checked)?>', page)
    return {html.unescape(name) for name, ticked in found if ticked}, {
        html.unescape(name) for name, _ in found
    }


def digest_of(page):
    return page.partition('name="file-digest" value="')[2].partition('"')[0]


def models_in(path, name="fake"):
    return tomllib.loads(path.read_text())["connections"][name].get("models")


@pytest.fixture
async def running(tmp_path):
    fake = FakeProvider(models=("echo", "other", "a/b", MARKUP))
    async with configured(tmp_path, fake=fake) as running:
        yield running


async def test_names_of_a_services_list_are_text_on_every_page(running):
    for path in (
        "/models?connection=fake",
        "/models/detail?connection=fake&model=echo",
        "/connections",
        "/try",
    ):
        assert "<script>" not in await running.browser.get(path)


async def test_models_are_allowed_by_ticks(running):
    browser, path = running.browser, running.path
    page = await browser.get("/models?connection=fake")
    assert boxes(page) == ({"echo"}, {"echo", "other", "a/b", MARKUP})
    shown = [("shown", name) for name in ("echo", "other", "a/b", MARKUP)]
    fields = [("file-digest", digest_of(page)), ("connection", "fake"), ("mode", "only"), *shown]
    await browser.post("/models/allow", [*fields, ("allow", "echo"), ("allow", "a/b")])
    assert models_in(path) == ["echo", "a/b"]
    assert '"a/b"] # only this' in path.read_text()
    assert "may be called was written" in messages_of(await browser.get("/models?connection=fake"))[0]
    page = await browser.get("/models?connection=fake")
    assert boxes(page)[0] == {"echo", "a/b"}
    await browser.post(
        "/models/allow", [("file-digest", digest_of(page)), ("connection", "fake"), ("mode", "all"), *shown]
    )
    assert models_in(path) is None


async def test_entries_that_the_page_does_not_show_stay(tmp_path):
    text = FILE.replace(
        'models = ["echo"]', 'models = ["echo", "plain", "text-*", { id = "tuned", price = { input = "1" } }]'
    )
    async with configured(tmp_path, text) as running:
        page = await running.browser.get("/models?connection=fake")
        fields = [
            ("file-digest", digest_of(page)),
            ("connection", "fake"),
            ("mode", "only"),
            ("shown", "plain"),
        ]
        await running.browser.post("/models/allow", fields)
        assert models_in(running.path) == ["echo", "text-*", {"id": "tuned", "price": {"input": "1"}}]
        page = await running.browser.get("/models?connection=fake")
        await running.browser.post(
            "/models/allow", [("file-digest", digest_of(page)), ("connection", "fake"), ("mode", "all")]
        )
        assert models_in(running.path) == [{"id": "tuned", "price": {"input": "1"}}, "*"]


async def test_a_list_that_breaks_an_alias_is_refused(running):
    page = await running.browser.get("/models?connection=fake")
    fields = [("file-digest", digest_of(page)), ("connection", "fake"), ("mode", "only"), ("shown", "echo")]
    page = await running.browser.post("/models/allow", fields, status=422)
    assert "does not allow the model" in page
    assert models_in(running.path) == ["echo"]


async def test_a_service_that_cannot_be_asked_is_told_and_what_is_known_is_shown(running):
    def fail(*_):
        raise ServerError("down")

    object.__setattr__(running.state.current.config.connections["fake"].provider, "discover", fail)
    page = await running.browser.get("/models?connection=fake")
    assert "could not be asked" in page
    assert "echo" in page


async def test_unknown_connections_and_models_are_not_found(running):
    await running.browser.get("/models?connection=nothing", status=404)
    await running.browser.get("/models/detail?connection=fake&model=nothing", status=404)


async def test_a_price_is_confirmed_and_a_changed_one_is_noticed(tmp_path):
    theirs = Theirs("theirs", models=("m",), price=CARD)
    async with configured(tmp_path, theirs=theirs) as running:
        browser = running.browser
        page = await browser.get("/models/detail?connection=theirs&model=m")
        assert "their table" in page
        await browser.post("/models/price", {"connection": "theirs", "model": "m"})
        assert '[prices]\nfile = "prices.csv"\n' in running.path.read_text()
        today = datetime.now(UTC).date().isoformat()
        assert (tmp_path / "prices.csv").read_text().splitlines()[1:] == [
            f"theirs,m,input,1000000,1.5,USD,{today},confirmed by alice: their table",
            f"theirs,m,output,1000000,3,USD,{today},confirmed by alice: their table",
        ]
        page = await browser.get("/models/detail?connection=theirs&model=m")
        assert "is the one that you confirmed" in page
        theirs.price = RateCard.of(source="their table", as_of="2026-12-01", input="2", output="3")
        running.state.current.mesh._lists = None
        page = await browser.get("/models?connection=theirs")
        assert "published price differs" in page
        reply = await running.state.current.mesh.chat("theirs:m", "one two")
        assert {item.unit: item.rate for item in reply.cost.items}["input"] == CARD.rates["input"].amount
        await browser.post("/models/price", {"connection": "theirs", "model": "m"})
        assert "theirs,m,input,1000000,2,USD" in (tmp_path / "prices.csv").read_text()
        assert "theirs,m,input,1000000,1.5" not in (tmp_path / "prices.csv").read_text()


def test_rows_are_added_to_a_price_file_as_it_is_written():
    text = "model,provider,unit,rate,from\r\n# odd,x,input,1,\r\nm,p,input,1,2020-01-01\r\n"
    new = add_rows(text, "p", "m", CARD, who="ann")
    assert new.startswith(text)
    today = datetime.now(UTC).date().isoformat()
    assert new[len(text) :] == f"m,p,input,1.5,{today}\r\nm,p,output,3,{today}\r\n"
    assert add_rows(new, "p", "m", CARD, who="ann") == new


async def test_a_price_file_that_breaks_is_put_back(tmp_path):
    theirs = Theirs("theirs", models=("m",), price=RateCard.of(source="t", input="1", currency="EUR"))
    (tmp_path / "own.csv").write_text(
        "provider,model,unit,rate,currency,from\ntheirs,m,output,1,USD,2020-01-01\n"
    )
    async with configured(tmp_path, FILE + '\n[prices]\nfile = "own.csv"\n', theirs=theirs) as running:
        before = (tmp_path / "own.csv").read_bytes()
        await running.browser.post("/models/price", {"connection": "theirs", "model": "m"})
        assert (
            "Nothing was changed"
            in messages_of(await running.browser.get("/models/detail?connection=theirs&model=m"))[0]
        )
        assert (tmp_path / "own.csv").read_bytes() == before


async def test_a_viewer_changes_nothing(running):
    await running.browser.post("/logout")
    await running.browser.log_in("vera")
    page = await running.browser.get("/models?connection=fake")
    assert 'type="checkbox"' not in page
    await running.browser.post("/models/allow", {"connection": "fake"}, status=403)
    await running.browser.post("/models/price", {"connection": "fake", "model": "echo"}, status=403)


async def test_plugins_are_shown_with_the_reason_of_a_failure(running):
    page = await running.browser.get("/plugins")
    assert "theirs" in page
    assert "ready" in page
