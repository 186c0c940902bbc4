"""Files of models: the cache, hubs, archives, conversion, and what a model's folder says. Runs no model."""
