"""The evidence: from measurements on the test split to verdicts, findings, cautions and costs."""
