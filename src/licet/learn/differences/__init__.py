"""What one manifest allows more or less than another, section by section; `licet.learn.difference` puts it together."""
