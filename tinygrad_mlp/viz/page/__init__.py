"""The page that one file holds."""
