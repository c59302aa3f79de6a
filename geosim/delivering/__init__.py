"""What a run leaves: rasters, polygons, record, report, and these made anew."""
