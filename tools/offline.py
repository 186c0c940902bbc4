"""Run a command where there is no network but the loopback interface: `python -m tools.offline COMMAND [ARGUMENT ...]`.

That needs Linux and the right to make a network namespace. Where it is not had, the command runs with the network, and that
is printed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

__all__ = ["main", "namespace"]

_INSIDE: Final = "--inside"
_GET_FLAGS: Final = 0x8913
_SET_FLAGS: Final = 0x8914
_UP: Final = 1
_REQUEST: Final = "16sH22x"
"""The flags of an interface, as Linux describes them (struct ifreq)."""


def namespace() -> list[str] | None:
    """Return the beginning of a command that runs it in a network namespace; None if none can be made."""
    program = shutil.which("unshare")
    if program is None:
        return None
    for words in ([program, "--net"], [program, "--net", "--map-root-user"]):
        done = subprocess.run([*words, "true"], capture_output=True, check=False)
        if done.returncode == 0:
            return words
    return None


def _raise_loopback() -> None:
    """Switch the loopback interface on: in a new namespace it is off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        found = fcntl.ioctl(asking, _GET_FLAGS, struct.pack(_REQUEST, b"lo", 0))
        flags = struct.unpack(_REQUEST, found)[1]
        fcntl.ioctl(asking, _SET_FLAGS, struct.pack(_REQUEST, b"lo", flags | _UP))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code of the command.
    """
    command = list(sys.argv[1:] if arguments is None else arguments)
    if command[:1] == [_INSIDE]:
        _raise_loopback()
        os.execvp(command[1], command[1:])  # noqa: S606 -- the command is the caller's
    words = namespace()
    if words is None:
        print("no network namespace can be made here: the command runs with the network", file=sys.stderr)
    else:
        command = [*words, sys.executable, "-m", "tools.offline", _INSIDE, *command]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
