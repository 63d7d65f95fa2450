"""The subject of the course: data, models, metrics and explanations, as the notebooks build them."""
