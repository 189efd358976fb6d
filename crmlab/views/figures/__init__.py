"""Tidy frame in, plotly Figure out; one function a picture, no arithmetic beyond axes."""
