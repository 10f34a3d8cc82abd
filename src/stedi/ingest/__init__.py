"""From landing files to landing rows and quarantine rows (SPEC 1).

1. `discover` finds the files of each feed.
2. `profile` looks at the bytes of a file once: content hash, lines, quotes.
3. `read` lets DuckDB parse the file at full speed, and proves from the profile that nothing was lost or bent.
4. `salvage` takes the files for which that proof fails, line by line, and quarantines what cannot be read without guessing.
"""
