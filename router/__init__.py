"""The router: takes the events that feature-flag SDKs post, makes them durable, and lets anyone follow them."""

__version__ = "0.1.0"
