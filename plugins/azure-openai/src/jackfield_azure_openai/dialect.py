"""The table of models, prices and the mapping of failures, for plugins that build on this one."""

from __future__ import annotations

from ._errors import error
from ._models import (
    Part,
    as_openai,
    azure_capabilities,
    capabilities_of,
    is_openai,
    name_of,
    row_of,
    with_name_of_limit,
)
from ._prices import azure_rates

__all__ = [
    "Part",
    "as_openai",
    "azure_capabilities",
    "azure_rates",
    "capabilities_of",
    "error",
    "is_openai",
    "name_of",
    "row_of",
    "with_name_of_limit",
]
