"""First pass over a pair: what is fitted to it, blocks, and what each leaves."""
