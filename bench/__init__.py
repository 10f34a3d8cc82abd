"""Every figure that the README quotes, reproducible with one command: `make bench`."""
