"""The transparency log: what was signed, and what every tag named, for everybody to check.

The log promises nothing about what is *right*; it makes what happened impossible to take back. A
signature or a tag move that was shown to one person can be shown to all, in the same order.
"""
