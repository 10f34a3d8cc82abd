"""Engines run the models. They read and write Parquet; only the catalog commits."""
