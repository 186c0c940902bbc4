"""A mesh with one connection to a loopback service, as the tests of providers have it."""

from jackfield import Mesh

__all__ = ["config_for", "mesh_for"]


def config_for(provider, url, name, *, address="base_url", identities=None, **keys):
    """Write a configuration with one connection, which tries once.

    Args:
        provider: The provider's id.
        url: Where the service is.
        name: What the connection is called.
        address: The key that takes the URL.
        identities: The section `credentials`.
        keys: Further keys of the connection.
    """
    connection = {"provider": provider, address: url, "retry": {"attempts": 1}, **keys}
    config = {"connections": {name: connection}}
    return config if identities is None else {"credentials": identities, **config}


def mesh_for(provider, url, name, **options):
    """Make a mesh of `config_for`."""
    return Mesh.from_config(config_for(provider, url, name, **options))
