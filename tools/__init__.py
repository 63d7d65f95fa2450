"""What only maintainers run: the walk over all pages, their figures as lines of JSON, studies, benchmarks."""
