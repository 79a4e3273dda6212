"""The API under /api/v1, by resource."""
