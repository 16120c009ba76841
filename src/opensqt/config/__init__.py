"""Settings: YAML files and the environment, checked by pydantic, and how a console script starts and ends."""
