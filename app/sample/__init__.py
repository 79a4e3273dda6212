"""An invented region, as data: what `make run` starts with and what a town hall can take as an example."""
