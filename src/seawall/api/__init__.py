"""The door for programs: JSON under `/api/`. The log, and what waits for signatures."""
