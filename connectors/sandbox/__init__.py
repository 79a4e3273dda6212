"""Local stand-ins of the platforms' HTTP APIs, with a wall on which a person writes as a citizen.

The package imports nothing of `app`, and no connector imports this package: a connector meets the sandbox only
as one more origin that speaks the platform's protocol. `README.md` beside this file describes the world file,
the control interface and what is deliberately not imitated.
"""
