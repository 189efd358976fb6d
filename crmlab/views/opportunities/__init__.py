"""What the page `opportunities` is made of."""
