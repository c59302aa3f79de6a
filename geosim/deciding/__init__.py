"""Second pass over a pair: probability, threshold, objects, what they became."""
