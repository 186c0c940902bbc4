"""The tests of OpenAI's dialect lend their reading and rebuilding of recordings; samples are shared here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

pytest.register_assert_rewrite("openai_recordings")
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "openai" / "tests")]
