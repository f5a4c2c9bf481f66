"""Training of the demo model: procedural scenes, captions, byte-pair vocabulary, contrastive loop."""
