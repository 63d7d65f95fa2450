"""What the notebooks import: the subject, the page, the files and the exercises, one flat folder of small modules."""
