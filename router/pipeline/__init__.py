"""Floor 3: from an accepted batch to durable offsets, and from offsets to readers. Knows actors and store."""
