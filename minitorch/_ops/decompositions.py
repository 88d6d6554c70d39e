"""Matrix decompositions and what is solved with them: Cholesky, LU, QR, SVD, eigenvalues, least squares."""
