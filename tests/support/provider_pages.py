"""The tables of a provider's page are made of the plugin's own data. `JACKFIELD_WRITE_DOCS=1` rewrites them."""

import os
import re

__all__ = ["check_table"]


def check_table(page, name, rows):
    """Hold the table of this name on a page to these rows, the heading first; or write it there."""
    text = page.read_text(encoding="utf-8")
    between = re.compile(rf"(<!-- table: {name} -->\n)(.*?)(<!-- end(?: of table)? -->)", re.DOTALL)
    made = _table(rows)
    if os.environ.get("JACKFIELD_WRITE_DOCS"):
        page.write_text(between.sub(lambda m: f"{m[1]}\n{made}\n\n{m[3]}", text), encoding="utf-8")
        return

    assert between.search(text)[2].strip() == made


def _table(rows):
    first, *rest = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([first, "|" + "---|" * (first.count(" | ") + 1), *rest])
