"""The twelve stacks that a converter should be proud of (static-addresses.md section 3): what perfect would be, and what is, line by line.

Eight are in the corpus; of the four others stand small models here, of the same shape and in words of our own. `lines.py` has the lines,
each with its state (`yes`, `partly`, `no`) and a check of what is said; docs/hard-stacks.md tells the same to people.
"""
