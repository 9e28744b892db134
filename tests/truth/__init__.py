"""What every address of the corpus is and what must become of it, labelled by hand; and how far the program agrees.

`uses.tsv` holds positions, values, labels and short reasons, and no text of the stacks. A line is: stack (its folder), file
(from there), line, column, value, service (`*`: every service that gets the text and has no line of its own, and files outside
the containers), class (a letter of the taxonomy; `-`: no use), action, reason. The list of positions was made by a plain search for dotted
quads, IPv6 addresses, variables that hold them and names that DNS refuses, in every text file, without the program.

Actions are those of the report (`rewritten`, `pod-ip`, `rendered`, `dropped`, `left`, `refused`), and three more: `none` is no use at all
(declarations, comments, parts of longer words), `changed` must change and several ways are right, `any` is a matter of judgement and is
counted in nothing.
"""
