"""Tests of one part with the real programs that it talks to."""
