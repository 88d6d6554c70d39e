"""searchsorted, bucketize, bincount, histc, unique."""
