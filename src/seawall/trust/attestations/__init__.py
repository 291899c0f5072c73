"""Attestations: signed statements *about* an image (how it was built, what is in it, what a scan
found). They never count as a signature *for* it.
"""
