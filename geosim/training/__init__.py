"""Models of one's own: labelled or listed pairs read, files of a model written."""
