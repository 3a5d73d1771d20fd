//! Reads YAML configuration files: every problem with its file, line and key.
