"""Batch, layer, group, instance, RMS and local response normalisation."""
