"""Recorded traffic of real services, for the tests of every package.

The recordings lie beside the repository (`../shared/wire`), not in it. Where they are absent the tests are skipped; in
CI that is a failure.
"""

import json
import os
from functools import lru_cache
from pathlib import Path

import pytest

__all__ = ["folder", "recorded"]

_FOLDER = Path(__file__).parents[3] / "shared" / "wire"


def folder():
    """Give the folder of the recordings; skip where it is absent, fail in CI."""
    if not _FOLDER.is_dir():
        message = "the recordings are not here; they lie beside the repository in shared/wire"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return _FOLDER


@lru_cache(maxsize=4)
def recorded(*files):
    """Give all lines of these files, in order."""
    # Not splitlines(): texts hold line separators of other alphabets.
    texts = [(folder() / f"{name}.jsonl").read_text(encoding="utf-8") for name in files]
    return [json.loads(line) for text in texts for line in text.split("\n") if line]
