"""The report's contents, taken from what the passes found."""
def write_report(staging, found, record, polygons):
    (staging/'report.html').write_text('todo')
