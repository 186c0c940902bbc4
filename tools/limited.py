"""Run a command and end it after some seconds, as what may hang on an unusual machine needs.

python -m tools.limited SECONDS COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code of the command; 124 if it took too long.
    """
    seconds, *command = sys.argv[1:] if arguments is None else arguments
    try:
        return subprocess.run(command, timeout=float(seconds), check=False).returncode
    except subprocess.TimeoutExpired:
        print(f"{command[0]} did not end within {seconds} s", file=sys.stderr)
        return 124


if __name__ == "__main__":
    sys.exit(main())
