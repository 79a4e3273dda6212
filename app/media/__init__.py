"""Pictures of platforms, shown through our own proxy."""
