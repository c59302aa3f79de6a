"""Finding pictures again: index file, exact and approximate search, groups, video."""
