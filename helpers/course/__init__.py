"""The machinery of the pages: sources, results, sentences, claims and exercises."""
