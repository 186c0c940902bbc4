"""The plugins of this repository, compared with the contract by their types. Read by mypy alone, never run."""

from jackfield.testing import FullProviderPlugin
from jackfield_openai import compatible

acme: FullProviderPlugin = compatible(id="acme", base_url="https://llm.acme.example/v1")
