"""The composition root: the one place that names concrete parts and joins them into processes."""
