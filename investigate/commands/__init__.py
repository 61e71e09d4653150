"""One module per command: options in, one function of the package called, an exit code out."""
