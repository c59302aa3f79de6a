"""The Siamese network: architecture, weights, inference, training.

Importing this package imports neither torch nor OpenVINO: each module that needs one
of them imports it itself.
"""
