"""Whole pipelines, from the sources to silver."""
