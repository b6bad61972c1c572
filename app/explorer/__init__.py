"""What the explorer page is put together from."""
