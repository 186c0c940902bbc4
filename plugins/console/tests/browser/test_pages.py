"""Every page in a real browser: with and without scripts, light and dark, wide, narrow and at 200 %, by keyboard alone."""

import re

import pytest
from walking import NARROW, WIDE, ZOOMED

# Where a walk begins; it follows every link from there.
START = "/"
# Of pages that differ in what they show alone, so many are enough; the form of each provider is looked at once.
_MOST_OF_A_KIND = 2
_FORMS = "/connections/new/*"


def kind_of(path):
    """Return a path without what names one thing of many: pages of one kind look alike."""
    plain = path.partition("?")[0]
    plain = re.sub(r"/(new|edit|remove)/[^/]+", r"/\1/*", plain)
    return re.sub(r"/(calls|keys|users)/(?!new)[^/]+", r"/\1/*", plain)


def walk(window, look, *, all_forms=False):
    """Call a function on every page that links lead to; return the kinds of pages."""
    waiting, seen, kinds = [window.served.page(START)], set(), {}
    while waiting:
        url = waiting.pop(0)
        path = url.removeprefix(window.served.page(""))
        kind = kind_of(path)
        enough = kinds.get(kind, 0) >= _MOST_OF_A_KIND and not (all_forms and kind == _FORMS)
        if url in seen or enough or path.startswith("/static") or kind.endswith(".csv"):
            continue
        seen.add(url)
        kinds[kind] = kinds.get(kind, 0) + 1
        window.go(url)
        look(path)
        waiting += window.links()
    return kinds


LOOKS = {
    "light": {"viewport": WIDE, "color_scheme": "light"},
    "narrow and dark": {"viewport": NARROW, "color_scheme": "dark"},
    "at 200 %": {"viewport": ZOOMED, "device_scale_factor": 2},
}


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_sound(open_window, look):
    window, faults = open_window(**LOOKS[look]), {}

    def check(path):
        found = window.look()
        if found:
            faults[path] = found

    kinds = walk(window, check, all_forms=look == "light")
    assert not faults, "\n".join(f"{path}: {fault}" for path, told in faults.items() for fault in told)
    if look == "light":
        window.go("/connections/new")
        assert kinds[_FORMS] == len([url for url in window.links() if "/connections/new/" in url]) >= 4
    wanted = {"/", "/usage", "/calls", "/calls/*", "/keys", "/keys/*", "/owners", "/connections", "/models", "/limits",
              "/try", "/plugins"}  # fmt: skip
    assert wanted <= set(kinds), wanted - set(kinds)


def test_every_page_is_there_without_scripts(open_window):
    with_scripts, without = open_window(), open_window(java_script_enabled=False)
    shown = {}
    walk(with_scripts, lambda path: shown.__setitem__(path, with_scripts.text()))
    for path, text in shown.items():
        without.go(path)
        told = without.text()
        # What differs is told by numbers of the moment, such as how long ago something was.
        assert len(told) > 0.9 * len(text), path


def test_every_page_is_used_by_keyboard_alone(open_window):
    window, faults = open_window(viewport=WIDE), {}

    def check(path):
        reached, hidden = window.tab_through()
        wanted = window.count_controls()
        if reached < wanted or hidden:
            faults[path] = (reached, wanted, hidden[:3])

    walk(window, check)
    assert not faults, "\n".join(f"{path}: {fault}" for path, fault in faults.items())


def test_log_in_and_skipping_to_the_content_by_keyboard(open_window):
    window = open_window(user="")
    window.go("/usage")
    window.page.keyboard.press("Tab")  # to the link that skips, if this page has it, or to the name
    window.page.get_by_label("Name").focus()
    window.page.keyboard.type("alice")
    window.page.keyboard.press("Tab")
    from serving_pages import PASSWORD

    window.page.keyboard.type(PASSWORD)
    with window.page.expect_navigation():
        window.page.keyboard.press("Enter")
    assert window.page.url == window.served.page("/usage")
    window.page.keyboard.press("Tab")
    assert window.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    window.page.keyboard.press("Enter")
    window.page.keyboard.press("Tab")
    assert window.page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_viewer_sees_pages_and_may_change_nothing(open_window):
    window = open_window(user="vera")
    posts = {}

    def check(path):
        buttons = window.page.locator("main form[method=post] button").all_inner_texts()
        if buttons:
            posts[path] = buttons

    walk(window, check)
    allowed = {path for path in posts if path.startswith(("/account", "/try"))}
    assert set(posts) <= allowed, posts


def test_what_others_write_is_shown_as_text(open_window, served):
    """Names of models, keys and owners come from services and clients: none of them becomes a part of a page."""
    import json
    import urllib.request

    evil = "<img src=x onerror=alert(1)>\"'`</script>"
    body = json.dumps({"model": evil, "messages": [{"role": "user", "content": "x"}]}).encode()
    window = open_window()
    key = create_key(window, "evil", owner="org/research/evil")
    request = urllib.request.Request(
        f"{served.url}/v1/chat/completions",
        data=body,
        headers={
            "authorization": f"Bearer {key}",
            "content-type": "application/json",
            "x-request-id": "evil.1",
        },
    )
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request)
    dialogs = []
    window.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for path in ("/calls", "/usage?by=model", "/keys", "/owners"):
        window.go(path)
        assert window.page.locator("main img").count() == 0
    assert not dialogs


def create_key(window, name, *, owner):
    """Create a key by its form, and return it."""
    window.go("/keys/new")
    window.page.get_by_label("Name").first.fill(name)
    window.page.get_by_label("Owner").first.fill(owner)
    window.press("Create")
    return re.search(r"jf-[\w-]{30,}", window.page.content())[0]
