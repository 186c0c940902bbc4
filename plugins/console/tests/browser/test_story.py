"""What an administrator does on the first day, in a browser without scripts: from nothing to a budget that refuses."""

import json
import re
import urllib.error
import urllib.request
from decimal import Decimal

import pytest
from serving_pages import served_console

BUDGET = {
    "name": "ann-budget",
    "owner": "org/research/ann",
    "measure": "requests",
    "most": "3",
    "window": "month",
}
SPENT = Decimal("0.0007")
"""What three answers cost, at the price of the table: 36 tokens in, 60 out."""
HELLO = {
    "model": "best",
    "messages": [{"role": "user", "content": "Why is the sky blue?"}],
    "max_tokens": 100,
}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def empty(request, service, tmp_path_factory):
    """A console over an empty store, in SQLite and in PostgreSQL."""
    store = request.getfixturevalue("postgres_server").new_database() if request.param == "postgres" else None
    with served_console(tmp_path_factory.mktemp("story"), service, store, filled=False) as running:
        yield running


def ask(url, key, body=HELLO):
    """Send a request to the gateway as a client would; return status and body."""
    request = urllib.request.Request(
        f"{url}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_from_nothing_to_a_budget_that_refuses(open_window, empty):
    window = open_window(where=empty, java_script_enabled=False)

    # A second connection, by its form; the file keeps its comments, and never gets a secret.
    window.go("/connections/new/openai")
    window.put("connection-name", "spare")
    window.put("base_url", f"{empty.service}/v1")
    window.put("api_key", "sk-a-secret-that-must-not-be-written")
    window.press("Try it, then write it")
    assert "sk-a-secret" not in empty.path.read_text()
    assert window.page.locator(".field.wrong").count() == 1
    window.put("api_key.way", "env")
    window.put("api_key", "CONSOLE_TEST_KEY")
    window.press("Try it, then write it")
    written = empty.path.read_text()
    assert "[connections.spare]" in written, window.text()
    assert "# The mesh of the research department." in written

    # A key, shown once.
    window.go("/keys/new")
    window.page.get_by_label("Name").first.fill("ann")
    window.page.get_by_label("Owner").first.fill("org/research/ann")
    window.press("Create")
    key = re.search(r"jf-[\w-]{30,}", window.page.content())[0]
    window.go("/keys/ann")
    assert key not in window.page.content()

    # A budget for everybody below org/research/ann.
    window.go("/limits/new")
    for name, value in BUDGET.items():
        window.put(name, value)
    window.press("Write it")
    assert "ann-budget" in empty.path.read_text(), window.text()

    # It is spent, and then refused with a message that says what to do.
    answers = [ask(empty.url, key) for _ in range(4)]
    assert [status for status, _ in answers] == [200, 200, 200, 429]
    assert "ann-budget" in answers[-1][1]["error"]["message"]

    # The same sum on every page, with as many digits as each has room for.
    window.page.wait_for_timeout(1_500)  # rows are written twice a second
    for path in ("/keys/ann", "/usage?days=7&by=key", "/owners"):
        window.go(path)
        found = {round(Decimal(one), 4) for one in re.findall(r"\b0\.\d+", window.text())}
        assert SPENT in found, (path, found)
    window.go("/limits")
    assert re.search(r"ann-budget[\s\S]{0,200}\b3\b", window.text())

    # And back: the file as it was before the limit.
    window.go("/connections/history")
    assert window.page.get_by_role("button").count() >= 2


def test_a_form_with_mistakes_keeps_what_was_typed(open_window, empty):
    window = open_window(where=empty)
    window.go("/limits/new")
    for name, value in {**BUDGET, "name": "broken", "most": "many"}.items():
        window.put(name, value)
    window.press("Write it")
    assert window.page.locator("[name=name]").first.input_value() == "broken"
    (wrong,) = window.page.locator("[aria-invalid=true]").all()
    assert wrong.get_attribute("name") == "most"
    described = wrong.get_attribute("aria-describedby").split()
    assert window.page.locator(f"[id='{described[0]}']").inner_text()


def test_an_answer_is_streamed_without_scripts(open_window, empty):
    window = open_window(where=empty, java_script_enabled=False)
    window.go("/try")
    window.put("target", "best")
    window.put("message", "Why is the sky blue?")
    window.press("Ask")
    assert "the sky looks blue" in window.text()
