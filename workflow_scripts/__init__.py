"""One short script a rule: read inputs, call the library, write outputs."""
