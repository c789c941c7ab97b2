"""Safe misuse through the real pipeline, unmarked, which must come back as the right finding: how one knows that the monitoring works."""
