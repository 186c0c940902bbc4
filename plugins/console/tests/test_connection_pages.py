"""Connections are added, edited, tried, removed and taken back in a browser; the file stays its owner's."""

import json
import logging
from urllib.parse import quote

import attrs
import pytest
from configuring import FILE, Theirs, configured, fields_of_page
from console_running import messages_of
from yarl import URL

from jackfield import AuthenticationError, Registry
from jackfield.plugin import ProviderInfo, hookimpl
from jackfield_console._secret_texts import HELP

PROVIDERS = Registry.installed().provider_ids()
TYPED = "sk-proj-0123456789abcdefghij"


@pytest.fixture
async def running(tmp_path, monkeypatch):
    monkeypatch.setenv("THEIR_KEY", "a key")
    async with configured(tmp_path) as running:
        yield running


def added(text):
    return text.replace(
        'host = "h.example"\n',
        'host = "h.example"\n\n[connections.second]\nprovider = "theirs"\nhost = "second.example"\n',
    )


async def test_a_connection_of_somebody_elses_plugin_is_added_by_its_form(running):
    browser, path = running.browser, running.path
    before = path.read_text()
    page = await browser.get("/connections/new/theirs")
    assert "Their &lt;i&gt;service&lt;/i&gt;" in page
    assert "Where it is; &lt;b&gt;bold&lt;/b&gt; words." in page
    fields = fields_of_page(page)
    assert {
        "connection-name",
        "host",
        "api_key.way",
        "api_key",
        "mode",
        "size",
        "labels",
        "names",
        "models",
        "timeout.total",
    } <= set(fields)
    assert fields["connection-name"] == "theirs-2"
    await browser.post(
        "/connections/new/theirs", {**fields, "connection-name": "second", "host": "second.example"}
    )
    assert path.read_text() == added(before)
    page = await browser.get("/connections")
    assert messages_of(page) == ["The connection second was added and is in use. It answers: listed 1 model."]
    status, _, answer = await running.post(
        "/v1/chat/completions", {"model": "second:m", "messages": [{"role": "user", "content": "hi"}]}
    )
    assert status == 200, answer


async def test_undo_gives_the_old_bytes(running):
    browser, path = running.browser, running.path
    before = path.read_bytes()
    fields = fields_of_page(await browser.get("/connections/new/theirs"))
    await browser.post(
        "/connections/new/theirs", {**fields, "connection-name": "second", "host": "second.example"}
    )
    page = await browser.get("/connections/history")
    assert "+[connections.second]" in page
    digest = page.partition('name="file-digest" value="')[2].partition('"')[0]
    await browser.post("/connections/history", {"number": "1", "file-digest": digest})
    assert path.read_bytes() == before
    assert "second" not in running.state.current.config.connections


async def test_mistakes_stand_beside_their_field_and_nothing_is_written(running):
    browser, path = running.browser, running.path
    before = path.read_bytes()
    fields = fields_of_page(await browser.get("/connections/new/theirs"))
    wrong = {
        **fields,
        "connection-name": "a:b",
        "size": "many",
        "max_parallel": "0",
        "labels": "a b",
        "timeout.total": "-1",
        "host": "x",
    }
    page = await browser.post("/connections/new/theirs", {**wrong, "connection-name": "good"}, status=422)
    assert _error(page, "labels").startswith("this is not valid TOML")
    page = await browser.post(
        "/connections/new/theirs", {**wrong, "connection-name": "good", "labels": ""}, status=422
    )
    assert _error(page, "size") == "must be a whole number, not a string"
    assert _error(page, "max_parallel") == "must be 1 or more, not 0"
    assert _error(page, "timeout.total").startswith("must be 0 or more")
    assert 'value="many"' in page
    page = await browser.post(
        "/connections/new/theirs",
        {**fields, "connection-name": "good", "host": "", "size": "101"},
        status=422,
    )
    assert _error(page, "host").startswith("is missing")
    page = await browser.post(
        "/connections/new/theirs",
        {**fields, "connection-name": "good", "host": "x", "size": "101"},
        status=422,
    )
    assert _error(page, "size") == "&#39;size&#39; must be &lt;= 100: 101"
    for name in ("a:b", "", "fake", "x" * 81, "a/b"):
        page = await browser.post(
            "/connections/new/theirs", {**fields, "connection-name": name, "host": "x"}, status=422
        )
        assert _error(page, "connection-name")
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir() if "toml" in entry.name] == ["jackfield.toml"]


def _error(page, name):
    return page.partition(f'<p class="error" id="e-{name}">')[2].partition("</p>")[0]


async def test_a_typed_secret_comes_into_no_page_file_or_log(running, caplog):
    browser, path = running.browser, running.path
    caplog.set_level(logging.DEBUG)
    fields = fields_of_page(await browser.get("/connections/new/theirs"))
    for name in ("api_key", "host", "proxy", "headers", "labels"):
        text = f'Authorization = "{TYPED}"' if name in ("headers", "labels") else TYPED
        page = await browser.post(
            "/connections/new/theirs",
            {**fields, "connection-name": "x", "host": "x", "api_key.way": "env", name: text},
            status=422,
        )
        assert HELP in page.replace("&#39;", "'"), name
        assert TYPED not in page
    assert TYPED not in path.read_text()
    assert TYPED not in caplog.text
    assert not [
        entry for entry in path.parent.iterdir() if entry.is_file() and TYPED.encode() in entry.read_bytes()
    ]


async def test_a_secret_of_the_file_is_on_no_page(tmp_path):
    text = FILE.replace('host = "h.example"', 'host = "h.example"\nproxy = "http://me:hunter2@p.example"')
    async with configured(tmp_path, text) as running:
        for path in (
            "/connections",
            "/connections/edit/theirs",
            "/connections/remove/theirs",
            "/connections/history",
        ):
            assert "hunter2" not in await running.browser.get(path)
        fields = fields_of_page(await running.browser.get("/connections/edit/theirs"))
        await running.browser.post("/connections/edit/theirs", {**fields, "size": "7"})
        assert 'proxy = "http://me:hunter2@p.example"\nsize = 7\n' in running.path.read_text()
        assert "hunter2" not in await running.browser.get("/connections/history")


async def test_an_edit_changes_its_lines_alone(running):
    browser, path = running.browser, running.path
    before = path.read_text()
    fields = fields_of_page(await browser.get("/connections/edit/fake"))
    await browser.post(
        "/connections/edit/fake",
        {**fields, "models": "echo\necho-*", "max_parallel": "4", "timeout.total": "30"},
    )
    assert path.read_text() == before.replace(
        '["echo"] # only this\n',
        '["echo", "echo-*"] # only this\ntimeout = { total = 30 }\nmax_parallel = 4\n',
    )
    fields = fields_of_page(await browser.get("/connections/edit/fake"))
    assert fields["timeout.total"] == "30"
    await browser.post(
        "/connections/edit/fake", {**fields, "models": "echo", "max_parallel": "", "timeout.total": ""}
    )
    assert path.read_text() == before


async def test_a_form_that_is_posted_untouched_changes_nothing(running):
    before = running.path.read_bytes()
    for name in ("fake", "theirs"):
        fields = fields_of_page(await running.browser.get(f"/connections/edit/{name}"))
        await running.browser.post(f"/connections/edit/{name}", fields)
        assert running.path.read_bytes() == before


async def test_a_connection_that_does_not_answer_is_written_only_if_told_so(tmp_path):
    def refuse(request):
        raise AuthenticationError("the key is not right")

    theirs = Theirs("theirs", models=())
    theirs.jackfield_discover = lambda settings: None
    async with configured(tmp_path, theirs=theirs) as running:
        browser, before = running.browser, running.path.read_text()
        theirs.script(AuthenticationError("the key is not right"))
        fields = fields_of_page(await browser.get("/connections/new/theirs"))
        filled = {
            **fields,
            "connection-name": "second",
            "host": "second.example",
            "models.mode": "only",
            "models": "m",
        }
        page = await browser.post("/connections/new/theirs", filled, status=422)
        assert "the key is not right" in page
        assert "Write it anyway" in page
        assert running.path.read_text() == before
        await browser.post("/connections/new/theirs", {**fields_of_page(page), "write-anyway": "yes"})
        assert "[connections.second]" in running.path.read_text()


async def test_a_removal_shows_what_names_the_connection(running):
    browser, path = running.browser, running.path
    before = path.read_text()
    page = await browser.get("/connections/remove/theirs")
    assert "would be left with fake:echo" in page
    assert "would have no target left" in page
    fields = fields_of_page(page)
    page = await browser.post("/connections/remove/theirs", fields, status=422)
    assert "there is no connection" in page
    assert path.read_text() == before
    await browser.post("/connections/remove/theirs", {**fields, "aliases": "yes"})
    assert path.read_text() == before.replace(
        '# the one of the others\n[connections.theirs]\nprovider = "theirs"\nhost = "h.example"\n\n', ""
    ).replace('best = ["theirs:m", "fake:echo"]\nalone = "theirs:m"\n', 'best = "fake:echo"\n')
    assert "theirs" not in running.state.current.config.connections


async def test_somebody_else_may_edit_meanwhile(running):
    browser, path = running.browser, running.path
    fields = fields_of_page(await browser.get("/connections/edit/theirs"))
    path.write_text(path.read_text() + "\n# by hand\n")
    changed = path.read_bytes()
    page = await browser.post("/connections/edit/theirs", {**fields, "size": "5"}, status=422)
    assert "+# by hand" in page
    assert path.read_bytes() == changed
    fields = fields_of_page(await browser.get("/connections/edit/theirs"))
    await browser.post("/connections/edit/theirs", {**fields, "size": "5"})
    assert path.read_text().endswith("# by hand\n")


async def test_a_viewer_sees_and_changes_nothing(running):
    browser, before = running.browser, running.path.read_bytes()
    fields = fields_of_page(await browser.get("/connections/edit/theirs"))
    await browser.post("/logout")
    await browser.log_in("vera")
    page = await browser.get("/connections")
    assert "Edit" not in page
    assert "Add a connection" not in page
    for path in (
        "/connections/new",
        "/connections/new/theirs",
        "/connections/edit/theirs",
        "/connections/remove/theirs",
        "/connections/history",
    ):
        await browser.get(path, status=403)
    for path in (
        "/connections/edit/theirs",
        "/connections/check",
        "/connections/reload",
        "/connections/remove/theirs",
        "/aliases/edit",
    ):
        await browser.post(path, fields, status=403)
    assert running.path.read_bytes() == before


async def test_a_console_may_only_show_the_configuration(tmp_path):
    async with configured(tmp_path, FILE.replace("[console]", "[console]\nedit = false")) as running:
        page = await running.browser.get("/connections")
        assert "edit = false" in page
        assert "Add a connection" not in page
        await running.browser.get("/connections/edit/theirs", status=409)
        await running.browser.post("/aliases/edit", {"name": "x", "targets": "fake:echo"}, status=409)


async def test_aliases_are_written_and_checked(running):
    browser, path = running.browser, running.path
    page = await browser.get("/aliases/edit?name=best")
    fields = fields_of_page(page)
    assert fields["targets"] == "theirs:m\nfake:echo"
    page = await browser.post("/aliases/edit", {**fields, "targets": "nowhere:m"}, status=422)
    assert "there is no connection" in _error(page, "targets")
    await browser.post("/aliases/edit", {**fields, "targets": "fake:echo"})
    assert 'best = "fake:echo"\n' in path.read_text()
    fields = fields_of_page(await browser.get("/aliases/edit"))
    await browser.post("/aliases/edit", {**fields, "name": "new one", "targets": "fake:echo\ntheirs:m"})
    assert '"new one" = ["fake:echo", "theirs:m"]\n' in path.read_text()
    fields = fields_of_page(await browser.get("/aliases/edit?name=new+one"))
    await browser.post("/aliases/edit", {**fields, "remove": "yes"})
    assert "new one" not in path.read_text()


async def test_a_check_is_shown_with_its_time(running):
    await running.browser.post("/connections/check", {"name": "fake"})
    page = await running.browser.get("/connections")
    assert "listed 1 model" in page
    await running.browser.post("/connections/check", {"name": "nothing"}, status=404)


async def test_a_file_that_is_broken_by_hand_is_told_and_keeps_what_runs(running):
    running.path.write_text("[connections\n")
    await running.browser.post("/connections/reload")
    assert "not valid" in messages_of(await running.browser.get("/connections"))[0]
    await running.browser.get("/connections/edit/theirs", status=409)
    assert "theirs" in running.state.current.config.connections


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_providers_form_has_no_mistake_of_its_own(tmp_path, provider):
    async with configured(
        tmp_path,
        FILE.replace('"theirs"', '"fake"').replace('host = "h.example"\n', ""),
        registry=Registry.installed(),
    ) as running:
        page = await running.browser.get(f"/connections/new/{provider}")
        fields = fields_of_page(page)
        # what is left empty is left out: only what a person must say is missing
        text = await running.browser.post(
            f"/connections/new/{provider}",
            {**fields, "connection-name": "new", "write-anyway": "yes"},
            status=None,
        )
        settings = Registry.installed().provider(provider).info
        if running.browser.status == 303:
            loaded = running.state.current.config.connections["new"].settings
            assert loaded is not None
            table = running.path.read_text().partition("[connections.new]\n")[2].partition("\n\n")[0]
            assert table == f'provider = "{provider}"'
        else:
            assert "is missing" in text or settings.requires_models


@attrs.frozen(kw_only=True)
class Clashing:
    """Settings whose keys are those of the form itself.

    Attributes:
        name: A name.
        digest: A digest.
        anyway: Whether.
    """

    name: str | None = None
    digest: str | None = None
    anyway: bool = False
    delay: float = 0.0


async def test_keys_of_a_plugin_are_not_those_of_the_form(tmp_path):
    class Odd(Theirs):
        @hookimpl
        def jackfield_provider(self):
            return ProviderInfo(id=self.id, title="Odd", settings=Clashing, kinds=frozenset({"chat"}))

    text = FILE.replace('host = "h.example"\n', "")
    async with configured(tmp_path, text, theirs=Odd("theirs", models=("m",))) as running:
        fields = fields_of_page(await running.browser.get("/connections/new/theirs"))
        filled = {**fields, "connection-name": "odd", "name": "n", "digest": "d", "anyway": "true"}
        await running.browser.post("/connections/new/theirs", filled)
        settings = running.state.current.config.connections["odd"].settings
        assert (settings.name, settings.digest, settings.anyway) == ("n", "d", True)


async def test_what_will_probably_fail_is_told_after_it_was_written(running, monkeypatch):
    monkeypatch.delenv("THEIR_OTHER_KEY", raising=False)
    fields = fields_of_page(await running.browser.get("/connections/edit/theirs"))
    await running.browser.post(
        "/connections/edit/theirs", {**fields, "api_key.way": "env", "api_key": "THEIR_OTHER_KEY"}
    )
    assert "THEIR_OTHER_KEY is not set" in messages_of(await running.browser.get("/connections"))[0]


@pytest.mark.parametrize("name", ["a/b", "ümlaut x", "per%cent", "dot.ted", "<b>&amp;", "..", "quote\"'"])
async def test_connections_may_have_any_name_in_the_file(tmp_path, name):
    written = json.dumps(name, ensure_ascii=False)
    text = FILE + f'\n[connections.{written}]\nprovider = "theirs"\nhost = "x"\n'
    async with configured(tmp_path, text) as running:
        browser = running.browser
        page = await browser.get("/connections")
        assert "<b>&amp;</" not in page
        path = "/connections/edit/" + quote(name, safe="")
        assert f'href="/console{path}"' in page or name == ".."
        if name == "..":  # no browser asks for this; it is edited by hand
            return
        fields = fields_of_page(await browser.get(URL(f"{browser.url}{path}", encoded=True)))
        page = await browser.post(
            URL(f"{browser.url}{path}", encoded=True), {**fields, "size": "101"}, status=422
        )
        assert "101" in _error(page, "size")
        await browser.post(URL(f"{browser.url}{path}", encoded=True), {**fields, "size": "7"})
        assert running.path.read_text() == text.replace("{store}", running.store) + "size = 7\n"
