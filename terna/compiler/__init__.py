"""Models turned into programs: the same answers, without the library that trained them.

Running a program needs NumPy and LLVM: `program` (all of it) ← `reading` (plain cells → doubles),
`walking` (trees) or `weighing` (linear models), `answering` (sums → labels); `plan` is what is kept
on disk, and holds numbers and names only.

Making one needs the model's library, so the follower does it: `compiling` ←
`encoding` (what becomes of each column), `estimators`, `calibrating` and `boosters` (what was
fitted), `growing` (trees, laid out to be walked). What was made is accepted by `agreement`, with
the help of `boundaries` (rows on either side of every split), or not at all.
"""
