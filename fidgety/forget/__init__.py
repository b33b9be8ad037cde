"""Erase an infant: every file of its own, and everything made of many infants that names it.

Whose a file is follows from the rules: an output ``results/pose/raw/{recording}.h5`` is of one
recording, ``results/folds.tsv`` of nobody. Files of the infant's recordings and of the infant
itself go, by the values of the rules' wildcards alone: an id may be ``1`` or ``h5``, so that a word
in a name says nothing. What is somebody else's is not even opened.

Files of nobody are asked for the infant: tables by their columns, models by the infants that they
learned from, all else by its words. Those that have it go too, with all that the same job wrote,
and the next run makes them anew; a common word as an id makes more of them go than need be, and
costs their jobs. Three files cannot be made anew without loss and are rewritten: the folds, in
which nobody else may move, the checksums of source files, which take hours for a large cohort, and
the index of who has had which recordings, last of all, so that what was interrupted can be called
again.
"""
