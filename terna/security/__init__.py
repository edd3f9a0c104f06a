"""The platform's CA, the signatures of models, and generated secrets."""
