"""Dropout and its relatives: random masks, drawn as torch draws them."""
