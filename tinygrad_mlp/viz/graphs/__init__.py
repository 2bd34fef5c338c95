"""What is read from recorded graphs."""
