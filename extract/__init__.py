"""The loaders: three sources that do not know each other, landed by dlt in the raw schemas of one warehouse."""
