"""Tests that start no server and no process."""
