"""Compiles a fitted model into one that predicts the same without the library that trained it.

The agent compiles, which needs that library; the workers execute, with NumPy only:

1. `compile.py` takes the model apart: its columns, its transformers and its last estimator.
2. `frontends/` read what was fitted, one library a file, into the IR.
3. `ir/` is that IR: features, trees or weights, a model; `ir/plan.py` is what is kept on disk.
4. `lowering.py` assigns a slot of the row to each feature and makes the plan.
5. `tree_layout.py` lays the trees out in arrays.
6. `verification/` compares with the pyfunc model: on varied rows and both sides of every split.
7. `runtime/compiled_model.py` executes: row parsing → preprocessing → tree traversal or linear
   model → postprocessing.
"""
