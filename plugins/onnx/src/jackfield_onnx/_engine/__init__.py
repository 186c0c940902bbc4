"""Loaded models: decoders, schedulers, queues, memory. Knows nothing of Jackfield's requests."""
