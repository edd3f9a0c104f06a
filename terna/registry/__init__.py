"""What Terna needs of MLflow's registry and runs: interfaces, and their MLflow adapters."""
