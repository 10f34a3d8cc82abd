"""Apache Iceberg through PyIceberg: tables, commits, the published state. The only importer of pyiceberg."""
