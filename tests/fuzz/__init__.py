"""Made-up requests against the running service, for as long as one wishes."""
