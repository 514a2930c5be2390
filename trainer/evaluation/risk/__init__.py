"""`posi eval risk`: every figure of the risk scorer, on the held-out fifth of each set."""
