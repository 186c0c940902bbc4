"""What the tests of the dialect share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.register_assert_rewrite("openai_recordings")
sys.path.insert(
    0, str(Path(__file__).parent)
)  # `openai_recordings` and `openai_rebuilding` are imported by name
