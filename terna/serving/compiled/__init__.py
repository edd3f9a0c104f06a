"""Models turned into programs: the same answers, without the library that trained them.

Running a program needs NumPy and LLVM: `program` (all of it) ← `reading` (plain cells → doubles),
`walking` (trees) or `weighing` (linear models), `answering` (sums → labels); `plan` is what is kept
on disk, and holds numbers only.

Making one needs the model's library: `compiling` ← `encoding` (what becomes of each column),
`estimators` and `boosters` (fitted models), `growing` (their trees, laid out to be walked). What
was made is accepted by `agreement`, or not at all.
"""
