"""Who gets in, how long, and what a browser is told."""

import pytest
from console_running import PASSWORD, messages_of


async def test_nothing_is_shown_without_a_session(console):
    browser = console.browser
    await browser.get("/", status=303)
    assert browser.headers["location"] == "/console/login"
    await browser.get("/?days=7", status=303)
    assert browser.headers["location"] == "/console/login?next=%2F%3Fdays%3D7"


async def test_a_user_logs_in_and_out(console):
    browser = console.browser
    await browser.log_in()
    assert browser.headers["location"] == "/console/"
    assert "alice" in await browser.get("/")
    await browser.post("/logout")
    await browser.get("/", status=303)


async def test_a_wrong_password_is_told_beside_its_field(console):
    text = await console.browser.log_in(password="wrong", status=422)
    assert 'aria-invalid="true"' in text
    assert "The name or the password is not right." in text
    assert PASSWORD not in text


@pytest.mark.parametrize(
    "after",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/%0d%0ax",
        "javascript:x",
        "/../../v1",
        "\\\\evil",
    ],
)
async def test_log_in_leads_to_no_other_site(console, after):
    await console.browser.log_in(after=after)
    location = console.browser.headers["location"]
    assert location.startswith("/console/")
    assert ".." not in location


async def test_log_in_leads_to_the_page_that_was_asked_for(console):
    await console.browser.log_in(after="/usage?by=key&days=30")
    assert console.browser.headers["location"] == "/console/usage?by=key&days=30"


async def test_the_session_before_log_in_is_not_the_one_after(console):
    browser = console.browser
    browser.http.cookie_jar.update_cookies({"jackfield-console": "chosen-by-somebody"})
    await browser.log_in()
    assert browser.cookies["jackfield-console"].value != "chosen-by-somebody"
    first = browser.cookies["jackfield-console"].value
    await browser.post("/logout")
    await browser.log_in()
    assert browser.cookies["jackfield-console"].value != first


async def test_an_ended_session_is_of_no_use(console):
    browser = console.browser
    await browser.log_in()
    value = browser.cookies["jackfield-console"].value
    await browser.post("/logout")
    browser.http.cookie_jar.update_cookies({"jackfield-console": value})
    await browser.get("/", status=303)


async def test_a_post_needs_the_token_of_a_form(console):
    browser = console.browser
    await browser.log_in()
    await browser.post("/logout", token="wrong", status=403)
    await browser.post("/logout", token="", status=403)
    assert "alice" in await browser.get("/")


async def test_a_post_from_another_site_is_refused(console):
    browser = console.browser
    await browser.log_in()
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        await browser.post("/logout", headers=headers, status=403)
    await browser.post("/logout", headers={"origin": console.url, "sec-fetch-site": "same-origin"})


async def test_log_in_needs_the_token_of_its_own_form(console):
    await console.browser.post("/login", {"name": "alice", "password": PASSWORD}, token="x", status=403)


async def test_every_answer_has_the_headers_that_protect_it(console):
    for path, status in (("/login", 200), ("/", 303), ("/nothing", 404), ("/static/console.css", 200)):
        await console.browser.get(path, status=status)
        headers = console.browser.headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"  # with no-referrer, browsers post "Origin: null"
        assert headers["server"] == "jackfield"
        assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "name", ["../_app.py", "..%2f_app.py", "%2e%2e/_app.py", "/etc/passwd", "....//x", "console.css%00"]
)
async def test_static_files_are_those_of_the_package_only(console, name):
    text = await console.browser.get(f"/static/{name}", status=404)
    assert "import" not in text


async def test_cookies_are_hidden_from_scripts_and_stay_with_the_console(console):
    browser = console.browser
    await browser.log_in()
    cookie = browser.cookies["jackfield-console"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (
        True,
        "Lax",
        "/console",
        "",
    )


async def test_messages_are_shown_once(admin):
    await admin.post("/users/vera", {"action": "admin"})
    assert "vera is now admin, and has to log in again." in messages_of(await admin.get("/"))
    assert "vera is now admin, and has to log in again." not in messages_of(await admin.get("/"))
