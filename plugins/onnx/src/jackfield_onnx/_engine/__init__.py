"""Loaded models: decoders, schedulers, queues, memory. Independent of Jackfield's requests and settings."""
