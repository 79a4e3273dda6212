"""HTTP: the API and the screens."""
