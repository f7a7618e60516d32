"""Reports as pages: the content of a page as data (`blocks`), and its HTML (`render`)."""
