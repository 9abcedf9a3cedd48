"""The three sources of the pipeline: a Postgres table, an HTTP API, a folder of Parquet files."""
