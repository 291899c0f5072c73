"""The door for programs: JSON under `/api/`. So far, the transparency log."""
