"""Training data: the public sources, how they are split, and how the training sets are built from them."""
