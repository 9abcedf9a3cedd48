"""Parquet files of a drop folder."""
