"""The plots of training: one function each, in one style."""
