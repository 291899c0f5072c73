"""How a container is confined: what it may ask for, what it gets, and the proof that it holds."""
