"""dbt: the build and the files that it publishes."""
