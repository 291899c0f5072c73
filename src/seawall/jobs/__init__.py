"""Durable work: a queue in the database, and the clockwork that turns events into jobs."""
