"""Print what an administrator needs: `python -m jackfield_limits schema` the SQL of the store in PostgreSQL."""

from __future__ import annotations

import sys

from ._postgres import schema


def main(arguments: list[str]) -> int:
    """Run the command, and return its exit status."""
    if arguments != ["schema"]:
        sys.stderr.write("usage: python -m jackfield_limits schema\n")
        return 2
    sys.stdout.write(schema())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
