"""The commands of `geosim`: parse, one call, message; a module for one or a few."""
