"""Settings: YAML files, the environment and the command line, checked by pydantic."""
