"""The pages: server-rendered, one module per place of the console."""
