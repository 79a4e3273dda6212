"""Operators, their roles and scopes, sessions, tokens, and what each may do."""
