"""The wall: what a person sees of the sandbox's world, and where they write as a citizen."""
