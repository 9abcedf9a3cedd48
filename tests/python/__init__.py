"""Tests of the Python code."""
