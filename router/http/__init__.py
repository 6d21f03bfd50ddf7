"""Floor 4: everything that knows Quart and hypercorn. Adapts requests to the plain records of the floors below."""
