"""Tests of dbt."""
