"""Child processes of a worker, where MLflow's own code and the models' libraries run.

A request that the compiled model does not answer is a call: `pool` hands it to an idle `process`,
whose other end is `child`, where `handler` answers it. What hangs is killed, and what grows is
replaced.
"""
