"""Public names that are to go: using one is said, here at run time and by the conformance kit beforehand."""

from __future__ import annotations

import warnings
from typing import Final

__all__ = ["DEPRECATED", "warn_of"]

DEPRECATED: Final[dict[str, str]] = {}
"""What to use in place of a name, and until when it works: `{"jackfield.Old": "use jackfield.New; it goes with 0.4"}`.

A key is a public name with its module, a hook, or an argument of a hook (`"jackfield_decoder.wire"`).
"""


def warn_of(name: str) -> bool:
    """Warn whoever imports a name that is to go; say whether it is one.

    Called by a module's `__getattr__`, so that the warning names the line that imports.
    """
    advice = DEPRECATED.get(name)
    if advice is None:
        return False
    warnings.warn(f"{name} is deprecated: {advice}", DeprecationWarning, stacklevel=3)
    return True
