"""Processes are killed, connections cut: nothing may be lost, nothing doubled."""
