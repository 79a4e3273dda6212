"""Connectors: what Otklik knows about each platform, and nothing of Otklik itself."""
