"""Parts of the registry page: the versions, and what one of them is, tested and compared."""
