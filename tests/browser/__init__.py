"""The running system in a real browser."""
