"""What the tests of this plugin share stands beside them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.register_assert_rewrite("cohere_recordings")
sys.path.insert(0, str(Path(__file__).parent))
