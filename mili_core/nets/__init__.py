"""The networks, one idea a file; `mili` is the composition."""
