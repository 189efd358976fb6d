"""What the page of one customer reads, says and draws."""
