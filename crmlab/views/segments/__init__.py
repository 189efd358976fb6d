"""What the page `segments` is made of: its tables, what is computed of them, drawn and said."""
