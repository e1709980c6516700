"""What the papers and our own first idea claim, put to the test on the embedded world: overlap, retention, evenness."""
