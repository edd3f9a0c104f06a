"""What frontends make of a fitted model, and the plan that the runtime executes."""
