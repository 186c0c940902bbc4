"""Model files: the cache, hubs, archives, conversion, and the configuration in a model's folder. Runs no model."""
