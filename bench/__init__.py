"""Speed and memory of the pipeline, measured on the machine at hand: `make bench`."""
