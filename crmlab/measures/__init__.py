"""Questions a bank asks, one module each: frames in, Polars frames out; no drawing, no disk."""
