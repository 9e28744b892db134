"""The control plane: pure decisions, one file per question, and the loops that carry them out."""
