"""`nn.functional.pad` in all its modes."""
