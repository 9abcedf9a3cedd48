"""Tests of redshift."""
