"""OCI formats, pure: digests, names, media types, manifests, layers. No network, no disk."""
