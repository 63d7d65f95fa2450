"""Reference solutions and checks of the exercises, one module a notebook."""
