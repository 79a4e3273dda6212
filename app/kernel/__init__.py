"""What every part stands on: the database, jobs, the clock, logs, metrics, live news, languages."""
