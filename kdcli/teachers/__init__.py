"""Teachers that were made elsewhere: what they answer for examples, as logits."""
