"""Rows looked up by number: embedding, embedding_bag, one_hot."""
