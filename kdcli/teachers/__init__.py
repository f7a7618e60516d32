"""Teachers: those trained here, and external ones: files of predictions, functions, commands, models."""
