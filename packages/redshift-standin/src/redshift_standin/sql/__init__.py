"""Statements of Redshift as PostgreSQL runs them."""
