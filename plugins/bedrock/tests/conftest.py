"""What the tests of this plugin share stands beside them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")  # no test asks a machine who it is
