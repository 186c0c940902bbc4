"""A model is asked from a page: streamed, escaped, booked."""

import asyncio
import sqlite3

import pytest
from configuring import configured

from jackfield import InvalidRequestError
from jackfield.testing import FakeAnswer, FakeProvider

ASKED = {"target": "fake:echo", "message": "hi <b>there</b>", "ask": "yes"}


@pytest.fixture
async def running(tmp_path):
    async with configured(tmp_path) as running:
        yield running


async def test_an_answer_comes_with_its_request_report_and_cost(running):
    page = await running.browser.post("/try", {**ASKED, "max_tokens": "20", "temperature": "0.5"}, status=200)
    assert "You said: hi &lt;b&gt;there&lt;/b&gt;" in page
    assert "<b>there" not in page
    assert "Attempts" in page
    assert "Body" in page
    assert page.rstrip().endswith("</html>")


async def test_only_the_request_is_shown_and_nothing_is_asked(running):
    page = await running.browser.post(
        "/try", {"target": "best", "message": "hi", "explain": "yes"}, status=200
    )
    assert "theirs:m" in page
    assert running.theirs.requests == running.fake.requests == []


async def test_what_cannot_be_asked_is_told_beside_its_field(running):
    page = await running.browser.post("/try", {"target": "nowhere:x", "message": ""}, status=422)
    assert 'id="e-message"' in page
    page = await running.browser.post("/try", {"target": "nowhere:x", "message": "x"}, status=422)
    assert "nowhere" in page.partition('id="e-target">')[2].partition("</p>")[0]
    page = await running.browser.post(
        "/try", {"target": "fake:echo", "message": "x", "max_tokens": "many"}, status=422
    )
    assert 'id="e-max_tokens"' in page


async def test_an_error_of_the_service_is_told_after_the_answer_so_far(running):
    running.fake.script(InvalidRequestError("it <i>broke</i>"))
    page = await running.browser.post("/try", ASKED, status=200)
    assert "it &lt;i&gt;broke&lt;/i&gt;" in page
    assert page.rstrip().endswith("</html>")


async def test_a_call_is_booked_as_those_of_keys_are(running):
    await running.browser.post("/try", ASKED, status=200)
    await asyncio.to_thread(running.state.ledger.close)
    rows = (
        sqlite3.connect(running.store.removeprefix("sqlite:///"))
        .execute("SELECT owner, key, surface, connection, model, status, output_tokens FROM spend")
        .fetchall()
    )
    assert rows == [("console/alice", "", "console", "fake", "echo", "ok", rows[0][6])]
    assert rows[0][6] > 0


async def test_the_answer_comes_piece_by_piece(tmp_path):
    fake = FakeProvider(answers=[FakeAnswer(text="one two three", delay=0.1, chunk_delay=0.1)])
    async with configured(tmp_path, fake=fake) as running:
        token = await running.browser.token("/try")
        seen = []
        async with running.browser.http.post(
            f"{running.browser.url}/try", data={**ASKED, "csrf": token}
        ) as answer:
            async for piece, _ in answer.content.iter_chunks():
                seen.append(piece.decode())
        assert len(seen) >= 3
        assert seen[0].endswith('<div class="answer">')
        assert "</html>" in seen[-1]


async def test_a_browser_that_leaves_ends_the_call(tmp_path):
    fake = FakeProvider(answers=[FakeAnswer(text="one two three", chunk_delay=30)])
    async with configured(tmp_path, fake=fake) as running:
        token = await running.browser.token("/try")
        answer = await running.browser.http.post(f"{running.browser.url}/try", data={**ASKED, "csrf": token})
        await answer.content.readany()
        answer.close()
        for _ in range(100):
            if fake.cancelled:
                break
            await asyncio.sleep(0.02)
        assert fake.cancelled == 1


async def test_a_viewer_cannot_spend(running):
    await running.browser.post("/logout")
    await running.browser.log_in("vera")
    await running.browser.get("/try", status=403)
    await running.browser.post("/try", ASKED, status=403)
    assert running.fake.requests == []
