"""From features to an answer and where on the slide it comes from: numbers, pictures, pages."""
