"""Queries in Amazon Athena: start, wait, and its answer as a stream of Arrow batches (needs the extra `aws`)."""
