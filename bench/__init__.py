"""How fast serving is, beside real peers on the same model: what `scripts/bench` runs."""
