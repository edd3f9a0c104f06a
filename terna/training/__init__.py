"""Server 1: one module a phase, in the order in which they run.

acquire → explore → prepare → tune → evaluate → publish
"""
