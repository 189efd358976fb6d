"""What the page `retention` is made of: its tables, what is computed of them, drawn, said and issued."""
