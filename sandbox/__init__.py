"""Everything the pipeline talks to, on a laptop: `python -m sandbox --help`."""
