"""Commands of a person to the running market maker: pause, resume, set, reset, and the settings file read again."""
