"""Server 2: the model in production behind HTTP, kept up to date with the registry.

A request:

1. `http/app.py`: finds the route of a path and method, and turns errors into responses.
2. `http/request.py`: reads the body within limits.
3. `http/mlflow_routes.py`, `http/open_inference_routes.py`: the two protocols' routes.
4. `http/executors.py`: runs what takes long in a thread; small bodies stay in the event loop.
5. `endpoints/active_model.py`: gives the request one predictor, which it keeps to its end.
6. `predictor/predictor.py`: answers by the compiled model, else by the pyfunc model.
7. `compiler/runtime/compiled_model.py` or `predictor/pyfunc_model.py`: predicts.
8. `http/response.py`: the response's body, status and headers.

A version:

1. `agent/agent.py`: polls the registry, in a process beside the workers.
2. `agent/reconciler.py`: sees which version is in production, and makes it current here.
3. `cache/model_cache.py`: downloads it; `security/signing.py` verifies its signature.
4. `agent/validator.py`: has a child process, `agent/validation.py`, ask it the reference rows,
   have `compiler/compile.py` compile it and `compiler/verification` compare the compiled model, and
   measure its speed.
5. `cache/compiled_cache.py`: keeps the compiled model, sealed with this server's secret.
6. `loader.py`: loads the current version in each worker, beside the one that answers.
7. `endpoints/active_model.py`: swaps it in.
"""
