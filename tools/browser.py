"""Run the console's tests in Chromium.

    python -m tools.browser [--write] [ARGUMENT ...]

`--write` takes the pictures of the docs anew; other arguments go to pytest. Without Chromium nothing is run, which is an error
where the environment variable CI is set.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

__all__ = ["find_chromium", "main"]

TESTS: Final = "plugins/console/tests/browser"
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """Return the path of a Chromium; None if none is installed. `JACKFIELD_CHROMIUM` names another."""
    named = os.environ.get("JACKFIELD_CHROMIUM")
    return named or next(filter(None, map(shutil.which, _NAMES)), None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    chromium = find_chromium()
    if chromium is None:
        print(
            "Chromium is not installed here (Debian: apt-get install chromium); nothing was run",
            file=sys.stderr,
        )
        return 1 if os.environ.get("CI") else 0
    environment = {**os.environ, "JACKFIELD_CHROMIUM": chromium}
    if "--write" in given:
        given.remove("--write")
        environment["JACKFIELD_WRITE_PICTURES"] = "1"
    command = [sys.executable, "-m", "pytest", "-q", *(given or [TESTS])]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
