"""The kinds of pictures, one module a kind: each makes a ``Drawing`` of what it is given, through ``finished``."""
