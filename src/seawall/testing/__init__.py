"""Public fakes and builders. Imports anything; imported by tests only."""
