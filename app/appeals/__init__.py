"""The citizen's matter: its states, its history, its only writer."""
