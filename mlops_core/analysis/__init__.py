"""Analyses of files and tables that need no workspace: drift and performance of rows as they are."""
