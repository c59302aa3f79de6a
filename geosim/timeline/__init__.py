"""Several dates of one place.

Pure functions of arrays and numbers: steps, edges, calibration, rates, areas. On files:
scenes, stack, pairs, deciding, classes, summing, places, pictures, delivery, result.
"""
