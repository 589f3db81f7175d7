"""What device models say: one TOML file per model, one interpreter for decoding and encoding."""
