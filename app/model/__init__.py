"""The parts of a model's page: the reason of its drift, its history, where it comes from."""
