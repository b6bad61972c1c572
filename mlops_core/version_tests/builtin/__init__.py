"""The tests that every model's suite begins with, one module for each subject."""
