"""The corridors: the only place where rooms meet."""
