"""What is stored of people: for how long, who asked for it, how it ends."""
