"""Reports as pages: what a page says as data (`blocks`), and the HTML that it becomes (`render`)."""
