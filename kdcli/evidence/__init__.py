"""The evidence: numbers in, findings out."""
