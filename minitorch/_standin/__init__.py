"""What stands in for torch in programs that import it: the import hook, the runner and the check of names."""
