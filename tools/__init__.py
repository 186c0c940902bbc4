"""Programs that sessions of nox run: `python -m tools.NAME`, from the root of the repository.

They need nothing but Python, pip and what their session installs.
"""
