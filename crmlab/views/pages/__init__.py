"""One module a page, each with one function ``page(mart, go)``."""
