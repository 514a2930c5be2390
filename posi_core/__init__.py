"""What decides: syntax, risk, rewriting, verification. Knows no host and imports nothing heavy by itself."""
