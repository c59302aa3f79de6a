"""What `sample`, `assess` and `evaluate` read and write; `assessment` has the sums."""
