"""Chromium, driven by Playwright: `nox -s console` runs these tests, and sets what they need."""

import os

import pytest

CHROMIUM = os.environ.get("JACKFIELD_CHROMIUM", "")
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--font-render-hinting=none",
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """Skip what needs a browser where none was named: Playwright's driver and asyncio's tests do not share a process."""
    for item in items:
        if "browser" in item.path.parts and not CHROMIUM:
            item.add_marker(pytest.mark.skip(reason="needs a browser: nox -s console runs it"))


@pytest.fixture(scope="session")
def service():
    """The address of a service on loopback."""
    from serving_pages import loopback_service

    with loopback_service() as url:
        yield url


@pytest.fixture(scope="module")
def served(service, tmp_path_factory):
    """A console over a filled store in SQLite."""
    from serving_pages import served_console

    with served_console(tmp_path_factory.mktemp("console"), service) as running:
        yield running


@pytest.fixture(scope="session")
def chromium():
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def open_window(chromium, served):
    """Return a function that opens a window, logged in, of some size and scheme."""
    from walking import Window

    opened = []

    def open_one(*, user="alice", where=served, **context):
        window = Window(chromium.new_context(**context), where)
        opened.append(window)
        if user:
            window.log_in(user)
        return window

    yield open_one
    for window in opened:
        window.close()
