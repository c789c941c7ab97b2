"""What an owner must look at: detectors over the events of one identity after the other, and what becomes of what they see."""
