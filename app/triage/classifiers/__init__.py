"""Implementations of the `Classifier` port, one module each."""
