"""Tests: data/ is dbt's, python/ is pytest's."""
