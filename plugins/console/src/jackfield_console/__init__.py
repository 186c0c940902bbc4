"""The administrator's console: keys, owners, spend, calls, connections and limits in a browser.

    [gateway]
    store = "sqlite:///gateway.db"

    [console]                     # `jackfield serve` shows it under /console

`jackfield console migrate` creates its tables in the gateway's store, `jackfield console user add NAME --role admin` the
first user. `jackfield console` serves it alone.
"""

from __future__ import annotations

from ._settings import ConsoleSettings, OidcSettings

__all__ = ["ConsoleSettings", "OidcSettings"]
