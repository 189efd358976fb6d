"""What `managers` shows: who is above or below what their book would do anyway, points, plans and proposals."""
