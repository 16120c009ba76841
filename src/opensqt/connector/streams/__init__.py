"""One upstream, many readers: topics, frames encoded once, the streams that clients read."""
