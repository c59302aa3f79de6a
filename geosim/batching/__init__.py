"""Many pairs: their list, their tasks on workers, the table of all."""
