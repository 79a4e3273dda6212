"""A stand-in of VK's API: methods, token kinds, limits, `execute`."""
