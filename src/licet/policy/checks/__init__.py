"""One small file per family of checks. A check is a pure function: `(Request, Facts) -> reasons`."""
