"""The pictures of the console in the docs: `nox -s console -- --write` takes them anew."""

import os
from pathlib import Path

import pytest
from walking import NARROW, WIDE

FOLDER = Path(__file__).parents[4] / "docs/assets/console"
PICTURES = {
    "overview": ("/", WIDE, "light"),
    "usage": ("/usage?days=31", WIDE, "light"),
    "usage-dark": ("/usage?days=31", WIDE, "dark"),
    "calls": ("/calls", WIDE, "light"),
    "keys": ("/keys", WIDE, "light"),
    "owners": ("/owners", WIDE, "light"),
    "connections": ("/connections", WIDE, "light"),
    "connection-form": ("/connections/new/openai", WIDE, "light"),
    "models": ("/models", WIDE, "light"),
    "limits": ("/limits", WIDE, "light"),
    "try": ("/try", WIDE, "light"),
    "plugins": ("/plugins", WIDE, "light"),
    "narrow": ("/usage?days=31", NARROW, "dark"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture(open_window, name, tmp_path):
    path, viewport, scheme = PICTURES[name]
    window = open_window(viewport=viewport, color_scheme=scheme)
    window.go(path)
    # The folder of the test is no part of the picture.
    window.page.locator("code").evaluate_all(
        "(codes, folder) => codes.forEach(code => code.textContent = code.textContent.replace(folder, '/etc/jackfield'))",
        str(window.served.folder),
    )
    folder = FOLDER if os.environ.get("JACKFIELD_WRITE_PICTURES") else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    window.page.screenshot(path=folder / f"{name}.png")
    assert (folder / f"{name}.png").stat().st_size > 10_000
