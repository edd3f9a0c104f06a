"""Whether serving loses or mixes up an answer while versions swap under load: `scripts/soak`."""
