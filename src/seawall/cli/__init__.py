"""Commands: parse, call one thing, print. A command's module is imported only when it runs."""
