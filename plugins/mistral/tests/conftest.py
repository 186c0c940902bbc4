"""The tests of OpenAI's dialect lend their reading and rebuilding of recordings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.register_assert_rewrite("openai_recordings")
sys.path.insert(0, str(Path(__file__).parents[2] / "openai" / "tests"))
