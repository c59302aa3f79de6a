"""Any two pictures: reading, models, alignment, similarity, drawing.

Importing this package imports neither torch nor OpenVINO.
"""
