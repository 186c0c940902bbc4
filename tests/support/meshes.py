"""Meshes with one connection to a loopback service, for the tests of providers."""

from jackfield import Mesh

__all__ = ["config_for", "mesh_for"]


def config_for(provider, url, name, *, address="base_url", identities=None, **keys):
    """Build a configuration with one connection, which makes a single attempt.

    Args:
        provider: The provider's id.
        url: Where the service is.
        name: The connection's name.
        address: The key of the URL.
        identities: The section `credentials`.
        keys: Further keys of the connection.
    """
    connection = {"provider": provider, address: url, "retry": {"attempts": 1}, **keys}
    config = {"connections": {name: connection}}
    return config if identities is None else {"credentials": identities, **config}


def mesh_for(provider, url, name, **options):
    """Build a mesh from `config_for`."""
    return Mesh.from_config(config_for(provider, url, name, **options))
