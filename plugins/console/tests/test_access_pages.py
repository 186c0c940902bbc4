"""Keys, users and changes: what an administrator does, and what a viewer may not."""

import re
import time
from html import unescape

import pytest
from console_running import PASSWORD, both_stores, messages_of, running_console

from jackfield_console._database import open_database, read_url
from jackfield_console._pages import find_pages
from jackfield_console._users import change_user
from jackfield_gateway._keys import hash_key, make_key

HELLO = {"model": "best", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 50}
KEY = {"name": "ci", "owner": "org/build", "models": "best\nfake:*", "expires": "2099-01-31"}


def shown_key(text):
    return re.search(r"<code>(jf-[\w-]+)</code>", text)[1]


async def status_of(running, key):
    """Return what the gateway answers to a key, once it has read the store again."""
    await running.state._read_keys()
    return (await running.post("/v1/chat/completions", HELLO, x_api_key=key))[0]


@both_stores
async def test_a_key_is_created_used_rotated_and_blocked(store):
    async with running_console(store) as running:
        browser = running.browser
        await browser.log_in()
        assert "No key yet" in await browser.get("/keys")
        first = shown_key(await browser.post("/keys/new", KEY, status=200))
        assert await status_of(running, first) == 200
        page = await browser.get("/keys/ci")
        assert first not in page
        assert hash_key(first) not in page
        assert 'value="2099-01-31"' in page
        assert " key of org/build<" in await browser.get("/owners")
        second = shown_key(await browser.post("/keys/ci/rotate", {"grace": "0"}, status=200))
        assert await status_of(running, first) == 401
        assert await status_of(running, second) == 200
        await browser.post("/keys/ci/block", {}, status=422)
        assert await status_of(running, second) == 200
        await browser.post("/keys/ci/block", {"sure": "yes"})
        assert await status_of(running, second) == 401
        assert messages_of(await browser.get("/keys")) == [
            "ci is blocked. The gateway refuses it within seconds."
        ]
        changes = await browser.get("/changes")
    for words in ("key created", "key rotated", "key blocked", "logged in"):
        assert words in changes
    assert first not in changes
    assert second not in changes


@both_stores
async def test_a_key_is_changed(store):
    async with running_console(store) as running:
        browser = running.browser
        await browser.log_in()
        key = shown_key(await browser.post("/keys/new", {"name": "ci", "owner": "a"}, status=200))
        await browser.post("/keys/ci", {"owner": "b/c", "models": "other:*, best", "expires": ""}, status=422)
        await browser.post("/keys/ci", {"owner": "b/c", "models": "fake:none", "expires": ""})
        assert await status_of(running, key) == 404
        await browser.post("/keys/ci", {"owner": "b/c", "models": "", "expires": ""})
        assert await status_of(running, key) == 200
        assert "b/<wbr>c" in await browser.get("/keys")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "A name has letters"),
        ("name", "a b", "A name has letters"),
        ("name", "../x", "A name has letters"),
        ("name", "<b>", "A name has letters"),
        ("owner", "", "An owner is a path"),
        ("owner", "/a", "An owner is a path"),
        ("owner", "a//b", "An owner is a path"),
        ("owner", "a/" * 150 + "b", "An owner is a path"),
        ("models", "nothing:*", "there is no such alias or connection"),
        ("models", "bset", "there is no such alias or connection"),
        ("expires", "31.1.2027", "Write a day"),
        ("expires", "2020-01-31", "This day is past"),
        ("expires", "9999-12-31", "Write a day"),
    ],
)
async def test_a_mistake_is_told_beside_its_field_and_what_was_typed_stays(admin, field, value, words):
    text = await admin.post("/keys/new", {**KEY, field: value}, status=422)
    assert re.search(rf'id="e-{field}">[^<]*{words}', text), text
    for other, typed in KEY.items():
        assert other == field or typed.split("\n")[0] in unescape(text)
    assert "No key yet" in await admin.get("/keys")


async def test_a_name_is_taken_once(admin):
    await admin.post("/keys/new", KEY, status=200)
    assert "There is a key of this name" in await admin.post("/keys/new", KEY, status=422)


async def test_declared_keys_are_shown_and_left_to_the_file(store):
    declared = {"ci": {"hash": hash_key(make_key()), "owner": "org/ci", "models": ["best"]}}
    async with running_console(store, keys=declared) as running:
        browser = running.browser
        await browser.log_in()
        assert "in the file" in await browser.get("/keys")
        page = await browser.get("/keys/ci")
        assert "Change it there" in page
        assert "Rotate" not in page
        await browser.post("/keys/ci/rotate", {"grace": "1"})
        assert "the store has no key" in messages_of(await browser.get("/keys/ci"))[0]


async def test_a_viewer_sees_and_changes_nothing(console):
    """Every page that posts is tried: none may be forgotten."""
    browser = console.browser
    await browser.log_in()
    await browser.post("/keys/new", KEY, status=200)
    await browser.post("/logout")
    await browser.log_in("vera")
    token = await browser.token("/account")
    tried = 0
    for page in find_pages():
        path = re.sub(r"\{[^}]*\}", "1", page.path)
        if page.post is not None and page.post_role == "admin":
            await browser.post(path, {"name": "x"}, token=token, status=403)
            tried += 1
        if page.role == "admin" and page.get is not None:
            await browser.get(path, status=403)
    assert tried >= 8
    text = await browser.get("/keys")
    assert "ci" in text
    assert "New key" not in text
    assert "Rotate" not in await browser.get("/keys/ci")
    for path in ("/users", "/changes"):
        assert f'href="/console{path}"' not in text


async def test_users_are_added_changed_and_removed(console):
    browser = console.browser
    await browser.log_in()
    await browser.post("/users", {"name": "bob", "role": "viewer", "password": PASSWORD, "again": PASSWORD})
    await browser.post("/users/bob", {"action": "admin"})
    await browser.post("/users/bob", {"action": "block"})
    await browser.post("/logout")
    await browser.log_in("bob", status=422)
    await browser.log_in()
    await browser.post("/users/bob", {"action": "unblock"})
    await browser.post("/users/bob", {"action": "remove"})
    await browser.post("/users/bob", {"action": "x"}, status=400)
    assert "bob" not in re.sub(r'<p class="message.*?</p>', "", await browser.get("/users"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "alice"}, "name"),
        ({"role": "root"}, "role"),
        ({"password": "short", "again": "short"}, "password"),
        ({"again": "other"}, "again"),
    ],
)
async def test_a_user_that_is_not_valid_is_told_beside_the_field(admin, changes, field):
    fields = {"name": "bob", "role": "viewer", "password": PASSWORD, "again": PASSWORD, **changes}
    text = await admin.post("/users", fields, status=422)
    assert f'id="e-{field}"' in text
    assert PASSWORD not in text


async def test_the_last_administrator_stays(admin):
    for action in ("remove", "viewer", "block"):
        await admin.post("/users/alice", {"action": action})
        assert "Another administrator" in messages_of(await admin.get("/users"))[0]


async def test_a_changed_role_holds_at_once(store):
    async with running_console(store) as running:
        browser = running.browser
        await browser.log_in("vera")
        database = open_database(read_url(store))
        database.call(change_user, "vera", blocked=True)
        database.close()
        await browser.get("/", status=303)


async def test_a_password_is_changed_and_ends_all_sessions(admin):
    new = "another long password"
    fields = {"now": "wrong", "password": new, "again": new}
    assert 'id="e-now"' in await admin.post("/account", fields, page="/account", status=422)
    await admin.post("/account", {**fields, "now": PASSWORD}, page="/account")
    await admin.get("/", status=303)
    await admin.log_in(status=422)
    await admin.log_in(password=new)


async def test_guessing_is_slowed_down_and_the_known_browser_gets_in(console):
    browser = console.browser
    await browser.log_in()  # this browser is known from now on
    await browser.post("/logout")
    device = {
        cookie.key: cookie.value for cookie in browser.http.cookie_jar if cookie.key == "jackfield-device"
    }
    browser.http.cookie_jar.clear()
    for _ in range(5):
        await browser.log_in(password="a wrong guess", status=422)
    text = await browser.log_in(status=429)  # even with the right one
    assert "Too many attempts" in text
    assert 1 <= int(browser.headers["retry-after"]) <= 60
    browser.http.cookie_jar.update_cookies(device)
    await browser.log_in()


async def test_a_lock_ends_soon(console, monkeypatch):
    browser = console.browser
    for _ in range(12):
        await browser.log_in(password="a wrong guess", status=422 if _ < 5 else 429)
    now = time.time()
    monkeypatch.setattr("jackfield_console._throttle.time.time", lambda: now + 61)
    await browser.log_in()


async def test_an_address_is_throttled_over_all_accounts(console):
    for number in range(20):
        await console.browser.log_in(f"nobody{number}", "a wrong guess", status=422)
    await console.browser.log_in(status=429)


async def test_sessions_end_by_themselves(store, monkeypatch):
    async with running_console(store, console={"idle": 1, "longest": 3}) as running:
        browser, real = running.browser, time.time
        await browser.log_in()
        for hours in (0.9, 1.8, 2.7):
            monkeypatch.setattr(
                "jackfield_console._sessions.time.time", lambda hours=hours: real() + hours * 3600
            )
            await browser.get("/")
        monkeypatch.setattr("jackfield_console._sessions.time.time", lambda: real() + 3.1 * 3600)
        await browser.get("/", status=303)
        monkeypatch.undo()


async def test_an_idle_session_ends(store, monkeypatch):
    async with running_console(store, console={"idle": 1}) as running:
        browser, real = running.browser, time.time
        await browser.log_in()
        monkeypatch.setattr("jackfield_console._sessions.time.time", lambda: real() + 3601)
        await browser.get("/", status=303)


async def test_over_https_cookies_stay_there(store):
    async with running_console(store, console={"https": True}) as running:
        await running.browser.get("/login")
        cookie = running.browser.headers["set-cookie"]
    assert cookie.startswith("__Secure-jackfield-login=")
    assert "; Secure" in cookie


async def test_a_host_header_goes_nowhere(store):
    keys = {"ci": {"hash": hash_key(make_key()), "owner": "org/ci"}}
    async with running_console(store, keys=keys) as running:
        browser = running.browser
        await browser.get("/", status=303, host="evil.example")
        assert browser.headers["location"] == "/console/login"
        assert "evil.example" not in await browser.get("/login", host="evil.example")
    async with running_console(store) as running:  # an open gateway refuses the names of others
        await running.browser.get("/login", status=403, host="evil.example")


async def test_addresses_of_clients_are_believed_from_declared_proxies_only(store):
    async with running_console(store, console={"proxies": ["127.0.0.1"]}) as running:
        browser = running.browser
        for number in range(25):  # each from another address: none is throttled by address
            token = await browser.token("/login")
            fields = {"name": f"n{number}", "password": "x", "csrf": token}
            headers = {"x-forwarded-for": f"198.51.100.7, 203.0.113.{number}"}
            async with browser.http.post(f"{browser.url}/login", data=fields, headers=headers) as answer:
                assert answer.status == 422
    async with running_console(store) as running:
        browser = running.browser
        for number in range(21):
            token = await browser.token("/login")
            fields = {"name": f"m{number}", "password": "x", "csrf": token}
            headers = {"x-forwarded-for": f"203.0.113.{number}"}
            async with browser.http.post(f"{browser.url}/login", data=fields, headers=headers) as answer:
                status = answer.status
    assert status == 429


async def test_forms_are_limited(admin):
    token = await admin.token("/")
    await admin.post("/keys/new", {"name": "x" * 1_000_001}, token=token, status=413)
    await admin.post("/keys/new", [("a", "b")] * 2_001, token=token, status=400)
    async with admin.http.post(f"{admin.url}/keys/new", json={"csrf": token}) as answer:
        assert answer.status == 415
