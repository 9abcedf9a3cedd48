"""Checks that change nothing: the audit of the layers, and doctor."""
