"""Where, who and what about: territories, agencies, topics, spheres, calendars."""
