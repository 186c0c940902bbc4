"""A window of a browser that watches what must never happen: requests to other hosts, errors, refusals of the policy."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from urllib.parse import urldefrag, urljoin, urlsplit

from console_running import PASSWORD

__all__ = ["NARROW", "WIDE", "ZOOMED", "Window"]

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 780}
ZOOMED = {"width": 640, "height": 450}
"""1280 pixels at 200 %: half of them, each twice as large."""
_MOST_BYTES = 100_000
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@cache
def _axe() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


class Window:
    """One window.

    Args:
        context: Playwright's.
        served: The console.

    Attributes:
        page: Playwright's page.
        faults: What must never happen and did.
    """

    def __init__(self, context, served):
        self._context = context
        self.served = served
        self.page = context.new_page()
        self.faults = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.faults.append(f"an error of a script: {error}"))
        self.page.on("request", self._watch)

    def _hear(self, message):
        # A page that is answered with an error status is told there, too; whether it may be is each test's to say.
        if message.type == "error" and "the server responded with a status of" not in message.text:
            self.faults.append(f"{self.page.url}: {message.text}")

    def _watch(self, request):
        if urlsplit(request.url).netloc != urlsplit(self.served.url).netloc:
            self.faults.append(f"{self.page.url} asked for {request.url}")

    def close(self):
        """Close the window; nothing may have gone wrong in it."""
        self._context.close()
        assert not self.faults, self.faults

    def log_in(self, name, password=PASSWORD):
        """Log in as a person would."""
        self.go("/login")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.press("Log in")

    def go(self, path, *, status=200):
        """Open a page by its path."""
        answer = self.page.goto(self.served.page(path) if path.startswith("/") else path)
        assert answer.status == status, (path, answer.status, self.text())
        return answer

    def press(self, name):
        """Press a button, and wait for the page that comes."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).first.click()

    def follow(self, name):
        """Follow a link, and wait for the page that comes."""
        with self.page.expect_navigation():
            self.page.get_by_role("link", name=name, exact=True).first.click()

    def put(self, name, value):
        """Fill a field, or choose in it, by its name."""
        field = self.page.locator(f"[name='{name}']").first
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)

    def text(self):
        """Return the text of the page."""
        return self.page.locator("body").inner_text()

    @property
    def messages(self):
        """What the page tells after something was changed."""
        return self.page.locator("p.message").all_inner_texts()

    def links(self):
        """Return the pages of the console that this page leads to, without their fragments."""
        found = self.page.locator("a[href]").evaluate_all(
            "links => links.map(link => link.getAttribute('href'))"
        )
        whole = {urldefrag(urljoin(self.page.url, href)).url for href in found}
        return sorted(one for one in whole if one.startswith(self.served.page("/")))

    # What holds for every page

    def look(self):
        """Return what is wrong with the page that is shown, by axe and by its size."""
        return [*self._by_axe(), *self._too_wide(), *self._too_heavy()]

    def _by_axe(self):
        self.page.evaluate(_axe())
        found = self.page.evaluate(
            "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", _RULES
        )
        return [
            f"axe: {one['id']}: {one['help']}: {node['html'][:200]}: {node.get('failureSummary', '')[:300]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def _too_wide(self):
        wide, room = self.page.evaluate(
            "() => [document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]"
        )
        return [f"the page is {wide} pixels wide in a window of {room}"] if wide > room else []

    def _too_heavy(self):
        weight = self.page.evaluate(
            """() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
            .reduce((sum, entry) => sum + entry.decodedBodySize, 0)"""
        )
        return [f"the page has {weight} bytes"] if weight > _MOST_BYTES else []

    # Keyboard

    def tab_through(self):
        """Press Tab until the focus comes round; return what had it, and those of them that did not show it."""
        self.page.evaluate("() => { document.activeElement?.blur(); window.reached = []; }")
        hidden = []
        for _ in range(400):
            self.page.keyboard.press("Tab")
            found = self.page.evaluate(
                """() => {
                    const one = document.activeElement;
                    // A date has a stop for each of its parts.
                    if (one && one === window.reached.at(-1)) return ['', true];
                    if (!one || one === document.body || window.reached.includes(one)) return null;
                    window.reached.push(one);
                    const style = getComputedStyle(one);
                    const shown = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0)
                        || style.boxShadow !== 'none';
                    return [one.outerHTML.slice(0, 120), shown];
                }"""
            )
            if found is None:
                break
            if not found[1]:
                hidden.append(found[0])
        return self.page.evaluate("() => window.reached.length"), hidden

    def count_controls(self):
        """Return how many things on the page can be used: each must be reached by Tab."""
        return self.page.evaluate(
            """() => {
                const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')];
                const usable = all.filter(one => !one.disabled && one.type !== 'hidden' && one.tabIndex >= 0
                    && one.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true}));
                // Of the radio buttons of one name, Tab reaches one.
                const radios = new Set(usable.filter(one => one.type === 'radio').map(one => one.name));
                return usable.filter(one => one.type !== 'radio').length + radios.size;
            }"""
        )
